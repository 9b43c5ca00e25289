"""Finds the clients' descriptions."""
import importlib.util
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def everyone():
    return sorted(name for name in os.listdir(HERE)
                  if os.path.exists(os.path.join(HERE, name, "client.py")))


def describe(client):
    path = os.path.join(HERE, client, "client.py")
    spec = importlib.util.spec_from_file_location("client", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
