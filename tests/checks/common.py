"""What the checks share: which files there are, and how a finding is told."""
import json
import pathlib
import re
import subprocess
import sys

CPP = (".cc", ".h")
NOT_OURS = ("build", "run", "data", "node_modules", "__pycache__", ".git")


def files(root):
    """Paths below root as git sees them (tracked or new, not ignored), sorted; without git, all but build folders."""
    root = pathlib.Path(root)
    git = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         capture_output=True, text=True, check=False) if (root / ".git").exists() else None
    if git is not None and git.returncode == 0:
        names = [name for name in git.stdout.split("\0") if name]
    else:
        names = [path.relative_to(root).as_posix() for path in root.rglob("*")]
        names = [name for name in names if name.split("/")[0] not in NOT_OURS and "__pycache__" not in name]
    return sorted({name for name in names if (root / name).is_file()})


def rules(root):
    own = pathlib.Path(root) / "tests/checks/rules.json"
    return json.loads(own.read_text())


def text(root, name):
    return (pathlib.Path(root) / name).read_text(encoding="utf-8", errors="replace")


def without_comments(source):
    """C++ with comments and string contents blanked; line numbers stay."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), source)


def main(check):
    """Runs `check(*command line)`, which returns its findings; prints them, one a line; exits 1 if there are any."""
    findings = check(*sys.argv[1:])
    for finding in findings:
        print(finding)
    print(f"{pathlib.Path(sys.argv[0]).name}: {len(findings)} finding(s)")
    sys.exit(1 if findings else 0)
