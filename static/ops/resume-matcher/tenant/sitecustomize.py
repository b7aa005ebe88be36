"""Python runs this module at every start if PYTHONPATH has its folder. It protects Resume Matcher's database and
application as soon as they are imported, and does nothing in any other program."""

import sys
from importlib.machinery import PathFinder
from types import SimpleNamespace


def find_spec(name, path=None, target=None):
    """Find a module as usual, and call its hook right after it has run, before its importer sees it."""
    spec = PathFinder.find_spec(name, path, target) if name in ("app.database", "app.main") else None
    if spec is not None:
        run = spec.loader.exec_module

        def run_protected(module):
            run(module)
            import credits_tenant  # here, because other programs do not need it

            getattr(credits_tenant, name.replace("app.", "protect_"))(module)

        spec.loader.exec_module = run_protected
    return spec


sys.meta_path.insert(0, SimpleNamespace(find_spec=find_spec))
