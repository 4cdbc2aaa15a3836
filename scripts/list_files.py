"""Prints the files under ROOT that match the patterns, one a line, sorted."""
import glob
import sys

for pattern in sys.argv[2:]:
    print(*sorted(glob.glob(pattern, root_dir=sys.argv[1])), sep="\n")
