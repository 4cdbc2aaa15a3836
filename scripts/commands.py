"""Writes the reference of commands in docs/command.md from what the kdsl on PATH says.

usage: commands.py --write | --check        (in the project's root)
"""
import re
import subprocess
import sys

from generated import update


def help_of(*command):
    return subprocess.run(["kdsl", "help", *command], check=True, capture_output=True, text=True).stdout.rstrip()


def reference():
    commands = re.findall(r"^  (\w+)  +(.*)$", help_of(), re.M)
    parts = []
    for name, summary in commands:
        if name != "help":
            parts.append(f"### kdsl {name}\n\n{summary[0].upper()}{summary[1:]}.\n\n```text\n{help_of(name)}\n```\n")
    return "\n".join(parts)


def main(arguments):
    if arguments not in (["--write"], ["--check"]):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    return update("docs/command.md", "commands", reference(), arguments == ["--check"], "scripts/commands.py")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
