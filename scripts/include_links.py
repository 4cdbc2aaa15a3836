"""Makes the include directories that prove the map: links to the folders that each folder may see.

usage: include_links.py SOURCE_DIR BUILD_DIR FOLDER:SEEN ... public:NAME=HEADER ...

include/source/FOLDER/SEEN points to the sources of SEEN, include/build/FOLDER/SEEN to its generated files, and include/public/NAME to a
public header. Links that are no longer wanted go away.
"""
import os
import sys


def main(source_dir, build_dir, *links):
    root = os.path.join(build_dir, "include")
    wanted = {}
    for link in links:
        owner, seen = link.split(":", 1)
        if owner == "public":
            name, header = seen.split("=", 1)
            wanted[os.path.join(root, "public", name)] = os.path.join(source_dir, header)
        else:
            wanted[os.path.join(root, "source", owner, seen)] = os.path.join(source_dir, seen)
            wanted[os.path.join(root, "build", owner, seen)] = os.path.join(build_dir, seen)
    for folder, _, files in os.walk(root):
        for name in files + [d for d in os.listdir(folder) if os.path.islink(os.path.join(folder, d))]:
            path = os.path.join(folder, name)
            if os.path.islink(path) and path not in wanted:
                os.unlink(path)
    for path, target in wanted.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        target = os.path.relpath(target, os.path.dirname(path))
        if not os.path.islink(path) or os.readlink(path) != target:
            if os.path.islink(path):
                os.unlink(path)
            os.symlink(target, path)


main(*sys.argv[1:])
