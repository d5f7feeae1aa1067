"""Builds the compiled twins of the modules on the hot path, where Cython and a C compiler are there.

Each module is plain Python that also runs as it is: without its twin nothing is lost but speed, and Blastwall says so
when it starts. `BLASTWALL_PURE=1` compiles nothing at build time, and at run time passes the twins by.
"""

import os
import runpy
import sys
from pathlib import Path

from setuptools import Extension, setup

_TWINS = Path(__file__).parent / "src" / "blastwall" / "_twins.py"
FOLDERS = runpy.run_path(str(_TWINS))["FOLDERS"]
TIGHT = (
    "masking/fast",
    "masking/documents",
    "recording/quick",
    "protocols/postgres/runs",
    "protocols/postgres/copy_runs",
    "protocols/postgres/bound",
    "protocols/postgres/lane",
    "protocols/postgres/plain_answers",
    "protocols/tds/row",
    "relay/express",
    "relay/lines",
    "relay/stream",
    "sql/postgres/shape",
)
"""What loops over bytes, or runs for each statement of a busy session: worth the compiler's time."""
BESIDE = 2
"""How many modules are translated, and then compiled, at the same time."""
DIRECTIVES = {"annotation_typing": False, "nonecheck": True, "binding": True, "language_level": 3}


def extensions() -> list[Extension]:
    """Return what can be compiled here."""
    if os.environ.get("BLASTWALL_PURE"):
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        sys.stderr.write("setup: Cython is not installed, so nothing is compiled; Blastwall runs, slower\n")
        return []
    modules = [
        Extension(
            f"blastwall.{folder.replace('/', '.')}.{name}",
            [f"src/blastwall/{folder}/{name}.py"],
            extra_compile_args=["-O2" if f"{folder}/{name}".startswith(TIGHT) else "-O1", "-g0"],
        )
        for folder, names in FOLDERS.items()
        for name in names
    ]
    found = list(
        cythonize(modules, build_dir="build/cython", nthreads=BESIDE, compiler_directives=DIRECTIVES, quiet=True)
    )
    for each in found:
        each.optional = True  # where it cannot be compiled, the build goes on; Cython drops this if it is said before
    return found


setup(ext_modules=extensions(), options={"build_ext": {"parallel": BESIDE}})
