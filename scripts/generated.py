"""Parts of documents that are made from tables of the sources: written, or compared with what is there."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def update(document, mark, text, check, script):
    """Puts text between <!-- mark --> and <!-- end of mark -->, or, to check, says whether it is there. Returns an exit status."""
    old, begin, end = read(document), f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    head, rest = old.split(begin, 1)
    new = head + begin + "\n" + text + "\n" + end + rest.split(end, 1)[1]
    if not check:
        with open(os.path.join(ROOT, document), "w", encoding="utf-8") as file:
            file.write(new)
    elif old != new:
        print(f"{document} is not in step with the tables: run {script} --write", file=sys.stderr)
        return 1
    return 0
