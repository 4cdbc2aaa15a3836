"""Lays the package out in the build folder as in site-packages: links to its sources, and the metadata that names its entry points.

usage: lay_out.py SOURCE_DIR BUILD_DIR VERSION
"""
import os
import sys
import tomllib


def main(source, build, version):
    package = os.path.join(build, "kdsl")
    os.makedirs(package, exist_ok=True)
    wanted = {name: os.path.join(source, "kdsl", name) for name in os.listdir(os.path.join(source, "kdsl")) if name.endswith(".py")}
    for name in os.listdir(package):
        path = os.path.join(package, name)
        if os.path.islink(path) and name not in wanted:
            os.unlink(path)
    for name, target in wanted.items():
        path = os.path.join(package, name)
        target = os.path.relpath(target, package)
        if not os.path.islink(path) or os.readlink(path) != target:
            if os.path.lexists(path):
                os.unlink(path)
            os.symlink(target, path)
    with open(os.path.join(source, "..", "pyproject.toml"), "rb") as file:
        project = tomllib.load(file)["project"]
    info = os.path.join(build, f"kdsl-{version}.dist-info")
    os.makedirs(info, exist_ok=True)
    with open(os.path.join(info, "METADATA"), "w", encoding="utf-8") as file:
        file.write(f"Metadata-Version: 2.1\nName: kdsl\nVersion: {version}\n")
    with open(os.path.join(info, "entry_points.txt"), "w", encoding="utf-8") as file:
        for group, entries in project["entry-points"].items():
            file.write(f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items()))


main(*sys.argv[1:])
