#!/usr/bin/env python3
"""Every atomic names its partner.

Each _Atomic field or variable and each atomic_* call below src must carry, in
a comment at its line or shortly above it, a protocol label (one or two capital
letters and a digit: B1, PK2), or the word `relaxed` with its reason behind it
("relaxed: only this thread writes it", "relaxed, here and below: a count").
Each label must be explained (a comment in which it begins a line or a field's
comment, or a header's "Protocol" lines) and have a partner: two or more atomics
that carry it.

    tools/check-atomics.py [SRC]       0: clean; 1: violations, one per line
    tools/check-atomics.py --self-test

Not checked: whether the orders are right, whether the partner named is the
true one, whether two protocols share a label, ConcurrencyKit's structures,
plain variables that atomics guard, pointers to atomics (their target carries
the label), atomic_init (nothing is shared yet), and code that a macro makes.
The models in tests/model and ThreadSanitizer look at what these words claim.
"""
import re
import sys
import tempfile
from pathlib import Path

LABEL = re.compile(r"\b([A-Z]{1,2}[0-9])\b")
RELAXED = re.compile(r"\brelaxed(?:, here and [^:*]+)?:\s*\S")
BELOW = re.compile(r"here and below")
ATOMIC = re.compile(r"\b_Atomic\b|\batomic_(?:bool|u?int\w*|u?long|size_t|flag)"
                    r"\b(?!\s*\()|\batomic_(?!init\b)\w+\s*\(")
TOKEN = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'",
                   re.S)
POINTER = re.compile(r"_Atomic(?:\s+[\w ]+?|\s*\([^()]*\))\s*\*")
TOP = ("}", "struct ", "union ", "enum ")
LEAVES = ("}", "return", "break", "continue", "goto")
ABOVE = 6  # lines that a comment reaches down, within its block


def blank(text):
    return re.sub(r"[^\n]", " ", text)


class Source:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.comments = []  # (first line, last line, text)
        for match in TOKEN.finditer(text):
            if match.group().startswith("/*"):
                first = text.count("\n", 0, match.start()) + 1
                last = text.count("\n", 0, match.end()) + 1
                self.comments.append((first, last, match.group()))
        self.code = TOKEN.sub(lambda m: blank(m.group()), text)
        self.raw = text.split("\n")
        self.lines = self.code.split("\n")

    def atomics(self):
        """(first line, last line) of each statement with an atomic in it."""
        found = []
        for match in ATOMIC.finditer(self.code):
            if POINTER.match(self.code, match.start()):
                continue  # no atomic itself: its target carries the label
            first = self.code.count("\n", 0, match.start()) + 1
            end = re.search(r"[;{]", self.code[match.end():])
            stop = match.end() + (end.end() if end else 0)
            last = self.code.count("\n", 0, stop) + 1
            found.append((first, last))
        return found

    def covering(self, first, last):
        """Comments that speak for the statement on these lines."""
        start = first
        while start > 1 and first - start < ABOVE:  # the statement's head
            above = self.lines[start - 2].strip()
            if not above or above.endswith((";", "{", "}")):
                break
            start -= 1
        texts = []
        for begin, end, body in self.comments:
            if begin <= last and end >= start:  # on its lines
                texts.append(body)
            elif end < start and start - end <= ABOVE and \
                    not self.lines[begin - 1].strip() and \
                    self.same_block(end, start):
                texts.append(body)
            elif end < start and BELOW.search(body):
                texts.append(body)
        return texts

    def same_block(self, end, start):
        """Neither a blank line nor a new declaration between the two."""
        for line in range(end, start - 1):
            raw = self.raw[line]
            if raw.strip() == "" or raw.startswith(TOP) or \
                    raw.strip().startswith(LEAVES):
                return False
        return True


def explained(labels_in, sources):
    """Labels that some comment explains."""
    known = set()
    for source in sources:
        for _, _, body in source.comments:
            if "Protocol" in body:
                tail = body[body.index("Protocol"):]
                known.update(LABEL.findall(tail))
                for one, two in re.findall(
                        r"([A-Z]{1,2}[0-9])\s*\.\.\s*([A-Z]{1,2}[0-9])", tail):
                    known.update(one[:-1] + str(n) for n in
                                 range(int(one[-1]), int(two[-1]) + 1))
            for line in body.split("\n"):
                line = line.strip().lstrip("/*").strip()
                match = re.match(r"([A-Z]{1,2}[0-9])\b[:,]?\s+\w+\W+\w+", line)
                if match:
                    known.add(match.group(1))
    return labels_in & known


def check(src):
    problems = []
    sources = [Source(path, path.read_text())
               for path in sorted(src.rglob("*.[ch]"))]
    carriers = {}  # label -> [place]
    for source in sources:
        for first, last in source.atomics():
            place = f"{source.path}:{first}"
            texts = source.covering(first, last)
            labels = {label for text in texts for label in LABEL.findall(text)}
            relaxed = any(RELAXED.search(text) for text in texts)
            if not labels and not relaxed:
                problems.append(f"{place}: an atomic without a label or a "
                                f"reason to be relaxed")
            for label in labels:
                carriers.setdefault(label, set()).add(place)
    known = explained(set(carriers), sources)
    for label, places in sorted(carriers.items()):
        if label not in known:
            problems.append(f"{min(places)}: {label} is explained nowhere")
        if len(places) < 2:
            problems.append(f"{min(places)}: {label} has no partner")
    return problems, len(carriers), sum(len(s.atomics()) for s in sources)


GOOD = """
/*
 * Q1  the store releases what was written; Q2 sees it.
 * Q2  the load acquires it.
 */
struct q {
    _Atomic int tail; /* Q1, Q2 */
    _Atomic(struct x *) head; /* relaxed: only a hint */
};
void f(struct q *q)
{
    atomic_init(&q->tail, 0);
    atomic_store_explicit(&q->tail, 1, memory_order_release); /* Q1 */
    if (atomic_load_explicit(&q->tail, memory_order_acquire) != 0 &&
        /* the load that pairs with the store: Q2 */
        q->x)
        return;
    /* relaxed: a statistic */
    atomic_fetch_add_explicit(
        &q->tail, 1,
        memory_order_relaxed);
    printf("atomic_store(");
}
"""

BAD = [
    ("    _Atomic int tail; /* Q1, Q2 */", "    _Atomic int tail;",
     "without a label"),
    ("memory_order_release); /* Q1 */", "memory_order_release);",
     "without a label"),
    ("    /* relaxed: a statistic */\n", "", "without a label"),
    ("/* relaxed: a statistic */", "/* relaxed */", "without a label"),
    ("/* relaxed: a statistic */", "/* a statistic */", "without a label"),
    (" * Q2  the load acquires it.\n", "", "Q2 is explained nowhere"),
    ("memory_order_release); /* Q1 */", "memory_order_release); /* Q3 */",
     "Q3 has no partner"),
    ("    atomic_init(&q->tail, 0);", "    atomic_thread_fence(x);\n\n",
     "without a label"),
]


def self_test():
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "q.c"
        path.write_text(GOOD)
        problems, _, count = check(Path(directory))
        assert problems == [], problems
        assert count == 5, count
        for old, new, wanted in BAD:
            assert old in GOOD, old
            path.write_text(GOOD.replace(old, new))
            problems, _, _ = check(Path(directory))
            assert any(wanted in problem for problem in problems), \
                (old, new, problems)
    print("check-atomics: self-test passed")


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    root = Path(__file__).resolve().parent.parent
    src = Path(sys.argv[1]) if sys.argv[1:] else root / "src"
    problems, labels, atomics = check(src)
    for problem in problems:
        print(problem)
    print(f"check-atomics: {len(problems)} problems, {atomics} atomics, "
          f"{labels} labels")
    return 1 if problems else 0


sys.exit(main())
