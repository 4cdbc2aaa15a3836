"""The dev script: what it says and leaves behind when the machine does not play along. The programs it calls are stand-ins."""
import os
import shutil
import signal
import stat
import subprocess
import time

import pytest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Stand-ins: the root is made in no time, and entering it runs the command here.
GOOD = {
    "apt-get": """case $1 in indextargets) echo "main http://mirror.example/debian/"; echo "contrib http://x.example/debian/" ;; esac""",
    "apt-config": "",
    "apt-helper": """eval "last=\\${$#}"; echo ok >"$last" """,
    "mmdebstrap": """
        for a; do case $a in --customize-hook=echo*) hook=${a#*=} ;; *.tmp) dir=$a ;; esac; done
        mkdir -p "$dir/usr" "$dir/etc" "$dir/var/lib/dpkg"; echo "I: done"; sh -c "$hook" exec "$dir" """,
    "unshare": """while [ $# -gt 0 ]; do case $1 in --*) shift ;; *) break ;; esac; done; exec "$@" """,
    "bwrap": """
        cd=.; while [ $# -gt 0 ]; do case $1 in
            --chdir) cd=$2; shift 2 ;;
            --ro-bind|--bind|--dev-bind-try|--symlink|--setenv) shift 3 ;;
            --tmpfs|--dir|--proc|--dev|--unsetenv) shift 2 ;;
            --*) shift ;;
            *) break ;; esac; done
        cd "$cd"; exec "$@" """,
    "chown": "",
    "newuidmap": "",
    "meson": """case $2 in --reconfigure) dir=$3 ;; *) dir=$2 ;; esac; echo "the build folder is $dir"; : >"$dir/build.ninja" """,
    "ninja": "echo 'ninja: no work to do.'",
}


def deliver_signals():
    """A shell cannot trap what its caller ignores, and tests that run in the background inherit ignored signals."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def dev(tmp_path):
    """Runs a copy of dev in a project of its own, on a host that is not Debian 13, with stand-ins for programs."""
    project, stubs, home = tmp_path / "project", tmp_path / "stubs", tmp_path / "home"
    for path in (project, stubs, home):
        path.mkdir()
    with open(os.path.join(PROJECT, "dev"), encoding="utf-8") as file:
        text = file.read()
    assert "/etc/kdsl-root  " in text and "/etc/os-release" in text and "/usr/lib/apt/apt-helper" in text
    text = text.replace("inside_mark=/etc/kdsl-root ", "inside_mark=/nowhere ").replace("/etc/os-release", "/nowhere")
    (project / "dev").write_text(text.replace("/usr/lib/apt/apt-helper", "apt-helper"), encoding="utf-8")
    (project / "dev").chmod(0o755)
    shutil.copy(os.path.join(PROJECT, "packages.txt"), project)

    def run(*arguments, start=False, env=None, **changed):
        for name, body in {**GOOD, **changed}.items():
            path = stubs / name.replace("_", "-")
            if body is None:
                path.unlink(missing_ok=True)
                continue
            path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        everything = {"PATH": f"{stubs}:/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8", **(env or {})}
        command = ["/bin/bash", str(project / "dev"), *arguments]
        if start:
            return subprocess.Popen(command, env=everything, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=deliver_signals)
        return subprocess.run(command, env=everything, cwd=project, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                              check=False)
    run.project, run.cache = project, home / ".cache" / "kdsl"
    return run


def left_behind(dev):
    return sorted(name for name in os.listdir(dev.cache) if name != "root.lock") if dev.cache.exists() else []


def last_line(result):
    return result.stderr.strip().splitlines()[-1]


def test_runs_a_command_with_its_status_and_streams(dev):
    result = dev("run", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.returncode, result.stdout) == (7, "out\n")
    assert last_line(result) == "err"


def test_python_sees_the_package(dev):
    result = dev("python", "-c", "import os, sys; print(os.environ['PYTHONPATH']); sys.exit(5)", env={"PYTHONPATH": "/mine"})
    assert (result.returncode, result.stdout) == (5, f"{dev.project}/build/python:/mine\n")


def test_set_up_happens_once(dev):
    assert "setting up" in dev("run", "true").stderr
    result = dev("run", "true")
    assert (result.returncode, result.stderr) == (0, "")
    assert [name[:5] for name in left_behind(dev)] == ["root-"]


def test_another_list_of_packages_is_another_root(dev):
    dev("run", "true")
    with open(dev.project / "packages.txt", "a", encoding="utf-8") as file:
        file.write("# a comment changes nothing\n")
    assert dev("run", "true").stderr == ""
    with open(dev.project / "packages.txt", "a", encoding="utf-8") as file:
        file.write("hello\n")
    assert "setting up" in dev("run", "true").stderr
    assert len(left_behind(dev)) == 2


@pytest.mark.parametrize("arguments, sentence", [
    (["frobnicate"], "dev: unknown command 'frobnicate'"),
    (["run"], "dev: 'run' needs a command, for example: ./dev run kdsl --help"),
    (["build", "now"], "dev: 'build' takes no arguments, but was given 'now'"),
    (["test", "--fast"], "dev: 'test' knows the options --quick, --matrix, --times and --again, not '--fast'"),
    (["clean", "everything"], "dev: 'clean' knows the option --all, not 'everything'"),
])
def test_wrong_command_line(dev, arguments, sentence):
    result = dev(*arguments)
    assert (result.returncode, last_line(result)) == (2, sentence)
    assert left_behind(dev) == []


def test_no_network(dev):
    result = dev("build", apt_helper="exit 100")
    assert result.returncode == 3
    assert last_line(result) == ("dev: cannot reach a Debian mirror that has trixie (tried http://mirror.example/debian, "
                                 "http://deb.debian.org/debian): is there a network, or a proxy to set?")
    assert left_behind(dev) == []


def test_the_hosts_own_mirror_is_used(dev):
    result = dev("run", "true", mmdebstrap="echo \"$@\" >&2; exit 1")
    log = (dev.cache / left_behind(dev)[0]).read_text()
    assert log.split()[-1] == "http://mirror.example/debian"
    assert result.returncode == 3


def test_download_breaks_off(dev):
    result = dev("build", mmdebstrap='mkdir -p "$HOME/.cache/kdsl/"; for a; do case $a in *.tmp) mkdir -p "$a/usr" ;; esac; done; '
                 'echo "E: Failed to fetch http://x"; exit 25')
    assert result.returncode == 3
    assert "broke off: is there a network?" in last_line(result)
    assert not [name for name in left_behind(dev) if not name.endswith(".log")]


def test_disk_is_full_before(dev):
    result = dev("build", df="echo Filesystem; echo '/dev/x 100 90 10 90% /'")
    assert result.returncode == 3
    assert "which has 10 MiB free: make room, or set XDG_CACHE_HOME" in last_line(result)
    assert left_behind(dev) == []


def test_disk_becomes_full(dev):
    result = dev("build", mmdebstrap='for a; do case $a in *.tmp) mkdir -p "$a/usr" ;; esac; done; echo "tar: x: No space left on device"; exit 2')
    assert result.returncode == 3
    assert "became full while the environment was made" in last_line(result)
    assert not [name for name in left_behind(dev) if not name.endswith(".log")]


def test_cache_is_not_writable(dev):
    result = dev("build", env={"XDG_CACHE_HOME": "/proc/nowhere"})
    assert result.returncode == 3
    assert last_line(result) == "dev: cannot write to the cache folder /proc/nowhere/kdsl: choose another with XDG_CACHE_HOME"


def test_namespaces_are_forbidden(dev):
    result = dev("build", bwrap="echo 'bwrap: No permissions to create new namespace' >&2; exit 1")
    assert result.returncode == 3
    assert last_line(result) == ("dev: this user may not use namespaces, which the environment needs "
                                 "(bwrap says 'bwrap: No permissions to create new namespace')")
    assert left_behind(dev) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_interrupted(dev, number):
    process = dev("build", start=True, mmdebstrap='for a; do case $a in *.tmp) mkdir -p "$a/usr" ;; esac; done; sleep 100')
    deadline = time.monotonic() + 20
    while not any(name.endswith(".tmp") for name in left_behind(dev)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, number)
    process.communicate(timeout=20)
    assert process.returncode in (130, 143)
    assert left_behind(dev) == []


def test_leftovers_of_a_killed_run_go(dev):
    dev.cache.mkdir(parents=True)
    (dev.cache / "root-0123456789abcdef.tmp").mkdir()
    assert dev("run", "true").returncode == 0
    assert [name.endswith(".tmp") for name in left_behind(dev)] == [False]


def test_two_at_once_make_one_root(dev):
    slow = GOOD["mmdebstrap"] + "; echo made >>\"$HOME/made\"; sleep 0.5"
    processes = [dev("run", "true", start=True, mmdebstrap=slow) for _ in range(3)]
    said = [process.communicate(timeout=30)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum("another ./dev is setting up the environment: waiting for it" in text for text in said) == 2
    assert (dev.cache.parent.parent / "made").read_text() == "made\n"


def test_a_folder_to_bind_must_exist(dev):
    result = dev("run", "true", env={"KDSL_DEV_BIND": "/tmp:/no/such/folder"})
    assert (result.returncode, last_line(result)) == (2, "dev: KDSL_DEV_BIND names '/no/such/folder', which is not the absolute path of a folder")


def test_configuring_fails(dev):
    result = dev("build", meson="echo 'meson.build:1:0: ERROR: no'; exit 1")
    assert (result.returncode, last_line(result)) == (1, "dev: configuring build failed")
    assert "meson.build:1:0: ERROR: no" in result.stderr
    assert dev("build").returncode == 0


def test_building_fails(dev):
    result = dev("build", ninja="echo 'x.c:1:1: error: no'; exit 1")
    assert (result.returncode, last_line(result)) == (1, "dev: the build failed")
    assert "x.c:1:1: error: no" in result.stderr


def test_clean_all_removes_what_was_made(dev):
    dev("build")
    assert dev("clean", "--all").returncode == 0
    assert left_behind(dev) == []
    assert not (dev.project / "build").exists()


def test_shellcheck():
    result = subprocess.run(["shellcheck", "dev", ".ci/run"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert result.stdout == ""
