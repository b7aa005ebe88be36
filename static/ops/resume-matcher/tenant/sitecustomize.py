"""Python runs this module at every start if PYTHONPATH has its folder. It protects Resume Matcher's database and
application as soon as they are imported, and does nothing in any other program."""

import sys
from importlib.machinery import PathFinder

HOOKS = {"app.database": "protect_database", "app.main": "protect_app"}


class Finder:
    """Finder calls a hook of credits_tenant right after a module has run, before its importer sees it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name in HOOKS else None
        if spec is not None:
            spec.loader.exec_module = protected(spec.loader.exec_module, HOOKS[name])
        return spec


def protected(run, hook):
    def run_protected(module):
        run(module)
        import credits_tenant  # here, because other programs do not need it

        getattr(credits_tenant, hook)(module)

    return run_protected


sys.meta_path.insert(0, Finder)
