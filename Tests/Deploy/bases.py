"""The two images that the Dockerfile begins from: pulled, or made here where there is no registry."""

import os
import shutil
import subprocess
from pathlib import Path

from engine import Engine, Failed, Unavailable

SLIM = "debian:bookworm-slim"
BUILDER = "swift:6.3-bookworm"
MIRROR = "http://deb.debian.org/debian"

# As in Debian's slim images: no documents, manuals and translations, of what is installed later neither.
SLIM_RULES = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
force-unsafe-io
"""
NOT_SLIM = ["usr/share/info/*", "usr/share/lintian/*", "usr/share/locale/*", "usr/share/man/*", "usr/share/doc/*/*",
            "var/cache/apt/*", "var/lib/apt/lists/*", "var/log/*"]

# What the image of Swift brings beside the toolchain, as far as a build needs it.
BUILD_PACKAGES = ["binutils", "ca-certificates", "gcc", "git", "libc6-dev", "libcurl4", "libncurses6",
                  "libsqlite3-0", "libstdc++-12-dev", "libxml2", "zlib1g-dev"]
# What no build needs of the toolchain: debugger, editor services, formatter, documents, other platforms.
NOT_TO_BUILD = ["bin/*lldb*", "bin/clangd", "bin/docc", "bin/repl_swift", "bin/sourcekit-lsp", "bin/swift-format",
                "bin/swift-help", "bin/wasmkit", "lib/liblldb*", "lib/libsourcekit*", "lib/libclang.so*",
                "lib/swift/embedded", "lib/swift/FrameworkABIBaseline", "share/doc", "share/docc", "share/man"]


def provide(engine: Engine, work: Path) -> list[str]:
    """Makes sure of both; gives what was made here."""
    missing = [name for name in (SLIM, BUILDER) if engine.run("image", "inspect", name).returncode]
    missing = [name for name in missing if engine.run("pull", "-q", name, within=1200).returncode]
    if not missing:
        return []
    if os.geteuid() or not engine.is_ours:
        raise Unavailable(f"{', '.join(missing)} cannot be pulled here")
    tree = debian(work)
    if SLIM in missing:
        load(engine, SLIM, ["-C", str(tree), "."], ['CMD ["bash"]'])
    if BUILDER in missing:
        toolchain = swift()
        install(tree)
        skipped = [f"--exclude=usr/{pattern}" for pattern in NOT_TO_BUILD]
        # The engine takes no path twice, so folders that both have are not named.
        parts = [f"usr/{path.relative_to(toolchain)}" for top in ("bin", "lib", "libexec", "share")
                 for path in toolchain.glob(f"{top}/*") if not os.path.lexists(tree / "usr" / path.relative_to(toolchain))]
        load(engine, BUILDER, ["-C", str(tree), ".", *skipped, "-C", str(toolchain.parent), *parts], [])
    shutil.rmtree(tree)
    return missing


def swift() -> Path:
    """The `usr` folder of the toolchain of this machine."""
    program = shutil.which("swiftc")
    folder = Path(program).resolve().parents[1] if program else Path()
    if folder.name != "usr":
        raise Unavailable(f"{BUILDER} cannot be pulled here, and there is no Swift below a usr folder to make one from")
    return folder


def debian(work: Path) -> Path:
    """A minimal Debian, made slim."""
    tree, packages = work / "debian", work / "packages"
    shutil.rmtree(tree, ignore_errors=True)
    engine = work / "engine"
    ended = subprocess.run(
        [f"{engine}/usr/sbin/debootstrap", "--variant=minbase", f"--cache-dir={packages}", "bookworm", str(tree), MIRROR],
        env=os.environ | {"DEBOOTSTRAP_DIR": f"{engine}/usr/share/debootstrap"}, capture_output=True, text=True,
        timeout=900)
    if ended.returncode:
        raise Unavailable(f"debootstrap: {(ended.stdout + ended.stderr).strip().splitlines()[-1]}")
    (tree / "etc/dpkg/dpkg.cfg.d/docker").write_text(SLIM_RULES)
    # As in Debian's images: what a package brings is not kept, and nothing is started.
    (tree / "etc/apt/apt.conf.d/docker-clean").write_text('DPkg::Post-Invoke {"rm -f /var/cache/apt/*.bin '
                                                          '/var/cache/apt/archives/*.deb || true";};\n')
    for pattern in NOT_SLIM:
        for path in tree.glob(pattern):
            if path.name == "copyright":
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return tree


def install(tree: Path) -> None:
    command = ("apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
               + " ".join(BUILD_PACKAGES) + " && rm -rf /var/lib/apt/lists/*")
    ended = subprocess.run(["chroot", str(tree), "sh", "-c", command], capture_output=True, text=True, timeout=900)
    if ended.returncode:
        raise Failed(f"apt-get in the stand-in of {BUILDER}: {ended.stderr[-2000:]}")


def load(engine: Engine, name: str, contents: list[str], changes: list[str]) -> None:
    """Makes an image of what tar is told to pack."""
    flags = [flag for change in changes for flag in ("--change", change)]
    with subprocess.Popen(["tar", "--numeric-owner", "-c", *contents], stdout=subprocess.PIPE) as packing:
        ended = subprocess.run([engine.program, "import", *flags, "-", name], env=engine.variables, stdin=packing.stdout,
                               capture_output=True, text=True, timeout=600)
    if ended.returncode or packing.returncode:
        raise Failed(f"import of {name}: {ended.stderr[-2000:]}")
