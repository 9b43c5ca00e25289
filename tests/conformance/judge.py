import compare
class Rules:
    def __init__(self, path): pass
    def report(self, modes): return []
    def unused(self, modes): return []
def differences(script, native, steps, mode, rules):
    out=[]
    if script.is_burst(): return []
    lags = "strict" not in mode
    for a,b in zip(native, steps):
        if a.outcome!=b.outcome: out.append(f"{a.operation}: {a.outcome} != {b.outcome}")
        if not compare.same(a.events,b.events,lags):
            out.append(f"{a.operation}: native "+"; ".join(map(str,a.events))+"   SEEN "+"; ".join(map(str,b.events)))
    return out
