"""The kdsl command, where the package was installed with pip: python -m kdsl, or kdsl."""
import os
import sys


def main():
    command = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kdsl")
    if not os.path.isfile(command):
        sys.exit("kdsl: the command is not part of this installation; it lies in the folder where kdsl was built")
    os.execv(command, ["kdsl", *sys.argv[1:]])


if __name__ == "__main__":
    main()
