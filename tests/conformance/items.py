#!/usr/bin/python3
"""The conformance list: checks it, counts what holds, writes it out.

    items.py lint
    items.py count --results DIR
    items.py table [--check FILE]

`items` has the format.  What fails under vnotify is in known-differences; a
result that is not as listed there is an error of `count`, and so is a class of
items of which too few hold.  `table` is the part of docs/semantics.md that lies
between the two marks.
Exit status: 0, or 1 with the reasons on stdout.
"""
import argparse
import collections
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(os.path.dirname(HERE), "clients", "node-watch")
LAST = 150
CLASSES = {"q": "queue and calls", "v": "notes and listings",
           "s": "opens, reads, closes"}
MODES = ("freebsd", "strict", "macos", "strict-macos")
USE = "no_notes_of_use"
MARKS = ("<!-- items -->", "<!-- end of items -->")

Item = collections.namedtuple("Item", "number kind text evidence section")
# name is PROGRAM:CASE or scripts:NAME; rules: those that a script will need,
# or USE for a case that is skipped where there are no notes of use.
Evidence = collections.namedtuple("Evidence", "name rules")


def read_items():
    items, section, current = [], "", None
    with open(os.path.join(HERE, "items"), encoding="utf-8") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("= "):
                section = line[2:]
            elif line.startswith(" "):
                for word in line.split():
                    if word.startswith("!"):
                        current.evidence[-1].rules.append(word[1:])
                    else:
                        current.evidence.append(Evidence(word, []))
            else:
                number, kind, text = line.split(None, 2)
                current = Item(int(number), kind, text, [], section)
                items.append(current)
    return items


def read_known():
    """{name of evidence or scripts:RULE: {mode: (at times, reason)}}"""
    known = collections.defaultdict(dict)
    with open(os.path.join(HERE, "known-differences"),
              encoding="utf-8") as lines:
        for line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            what, modes, reason = line.split(None, 2)
            for mode in modes.replace("all", ",".join(MODES), 1).split(","):
                at_times = mode.endswith("?") or modes == "all?"
                known[what][mode.rstrip("?")] = (at_times, reason.strip())
    return known


def exists(name):
    program, _, case = name.partition(":")
    if program == "scripts":
        return any(f"script {case}\n" in open(path, encoding="utf-8").read()
                   for path in glob.glob(os.path.join(HERE, "scripts",
                                                      "*.script")))
    for path, pattern in ((os.path.join(HERE, program + ".c"),
                           rf"GUEST_CASE\({case}\)"),
                          (os.path.join(CLIENTS, program),
                           rf"async {case}\(")):
        if os.path.exists(path):
            with open(path, encoding="utf-8") as source:
                return re.search(pattern, source.read()) is not None
    return False


def lint(items, known):
    wrong = []
    if [item.number for item in items] != list(range(1, LAST + 1)):
        wrong.append(f"the items are not 1 to {LAST}, in this order")
    for item in items:
        if item.kind not in CLASSES:
            wrong.append(f"{item.number}: no class {item.kind}")
        if not item.evidence:
            wrong.append(f"{item.number}: no test")
        for evidence in item.evidence:
            if not exists(evidence.name):
                wrong.append(f"{item.number}: there is no {evidence.name}")
            for rule in evidence.rules:
                if "scripts:" + rule not in known:
                    wrong.append(f"{item.number}: no rule scripts:{rule}")
    return wrong


def differs(evidence, mode, known):
    """None, or (at times, reason) by what is listed."""
    names = [evidence.name] + ["scripts:" + rule for rule in evidence.rules]
    found = [known[name][mode] for name in names if mode in known[name]]
    for at_times, reason in found:
        if not at_times:
            return False, reason
    return found[0] if found else None


def status(item, mode, known):
    """"yes", "at times" or "no", and the reason."""
    out = ("yes", "")
    for evidence in item.evidence:
        found = differs(evidence, mode, known)
        if found and not found[0]:
            return "no", found[1]
        if found:
            out = ("at times", found[1])
    return out


def result_of(directory, mode, evidence):
    """What a run said: "ok", "FAIL", "skip", or the rules that were needed."""
    program, _, case = evidence.name.partition(":")
    path = os.path.join(directory, f"{mode}.{evidence.name}"
                        if program == "scripts" else f"{mode}.{program}")
    try:
        with open(path, encoding="utf-8") as lines:
            words = lines.read().split()
    except FileNotFoundError:
        return None
    if program == "scripts":
        return set(words)
    return dict(zip(words[::2], words[1::2])).get(case)


def check_script(item, evidence, mode, needed, known):
    expected = {rule for rule in evidence.rules
                if mode in known["scripts:" + rule]}
    # What use is told is no business of items that are not about it.
    free = {USE} if item.kind != "s" else set()
    if "strict" not in mode:  # events lag, and on a busy machine fall together
        free |= {rule for rule in needed
                 if known["scripts:" + rule].get(mode, (False,))[0]}
    for rule in needed - expected - free:
        yield f"{evidence.name} differs in {mode}, not listed here: {rule}"
    for rule in expected - needed:
        if not known["scripts:" + rule][mode][0]:
            yield f"{evidence.name} passes in {mode}, listed as !{rule}"


def check_case(evidence, mode, result, known):
    lacks_use = USE in evidence.rules and mode in known["scripts:" + USE]
    if (result == "skip") != lacks_use:
        yield (f"{evidence.name} in {mode}: {result}, and !{USE} is "
               f"{'' if lacks_use else 'not '}beside it")
    elif result == "FAIL" and mode not in known[evidence.name]:
        yield f"{evidence.name} failed in {mode}"


def check(items, known, directory):
    """What was not as listed."""
    for item in items:
        for evidence in item.evidence:
            is_script = evidence.name.startswith("scripts:")
            for mode in MODES + (() if is_script else ("native",)):
                result = result_of(directory, mode, evidence)
                if result is None:
                    yield f"{evidence.name} was not run in {mode}"
                elif is_script:
                    yield from check_script(item, evidence, mode, result,
                                            known)
                elif mode == "native":
                    if result != "ok":
                        yield f"{evidence.name}: {result} natively"
                else:
                    yield from check_case(evidence, mode, result, known)


def count(items, known):
    """{mode: {class: Counter of statuses}}"""
    counts = {}
    for mode in MODES:
        counts[mode] = collections.defaultdict(collections.Counter)
        for item in items:
            counts[mode][item.kind][status(item, mode, known)[0]] += 1
    return counts


def print_counts(counts):
    print(f"{'':14}" + "".join(f"{text:>24}" for text in CLASSES.values()))
    for mode, kinds in counts.items():
        cells = []
        for kind in CLASSES:
            states = kinds[kind]
            cell = f"{states['yes']} of {sum(states.values())}"
            if states["at times"]:
                cell += f", {states['at times']} mostly"
            cells.append(f"{cell:>24}")
        print(f"{mode:14}" + "".join(cells))


def too_few(counts):
    for mode in ("freebsd", "strict"):
        states = counts[mode]["s"]
        if states["yes"] * 4 < sum(states.values()) * 3:
            yield f"{mode}: less than three quarters of the (s) items"


def table(items, known):
    """Markdown."""
    out, section = [], None
    for item in items:
        if item.section != section:
            section = item.section
            out += ["", f"### {section}", "",
                    "| | | FreeBSD's notes | macOS's notes |",
                    "|---|---|---|---|"]
        cells, reasons = [], []
        for pair in (("freebsd", "strict"), ("macos", "strict-macos")):
            states = [status(item, mode, known) for mode in pair]
            plain, strict = states[0][0], states[1][0]
            cells.append(plain if plain == strict else
                         f"{plain}; strict: {strict}")
            reasons += [reason for _, reason in states if reason]
        text = item.text
        if reasons:
            text += ".  *" + "; ".join(dict.fromkeys(reasons)) + "*"
        out.append(f"| {item.number} | {text} | {cells[0]} | {cells[1]} |")
    return "\n".join(out[1:]) + "\n"


def replaced(text, body):
    begin, end = (text.index(mark) for mark in MARKS)
    return text[:begin + len(MARKS[0])] + "\n\n" + body + "\n" + text[end:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("lint", "count", "table"))
    parser.add_argument("--results", default="")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("file", nargs="?")
    options = parser.parse_intermixed_args()
    items, known = read_items(), read_known()
    wrong = lint(items, known)
    if options.what == "count":
        counts = count(items, known)
        wrong += list(check(items, known, options.results))
        wrong += list(too_few(counts))
        print_counts(counts)
    elif options.what == "table" and not wrong:
        with open(options.file, encoding="utf-8") as doc:
            old = doc.read()
        new = replaced(old, table(items, known))
        if options.check and new != old:
            wrong.append(f"{options.file} is out of date: run items.py table "
                         f"{options.file}")
        elif not options.check:
            with open(options.file, "w", encoding="utf-8") as doc:
                doc.write(new)
    for sentence in wrong:
        print(sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
