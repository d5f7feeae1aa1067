"""Builds the compiled twins of a few modules, where Cython and a C compiler are there; without them nothing is lost.

Each module is plain Python that also runs as it is. The `.pxd` file beside it types what is worth compiling.
`BLASTWALL_PURE=1` at build time compiles nothing; at run time it makes Blastwall pass the compiled ones by.
"""

import os
import sys

from setuptools import Extension, setup

COMPILED = ("blastwall.wire.pgrows",)


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
        Extension(name, [f"src/{name.replace('.', '/')}.py"], extra_compile_args=["-O2"], optional=True)
        for name in COMPILED
    ]
    return list(cythonize(modules, language_level=3, build_dir="build/cython"))


setup(ext_modules=extensions())
