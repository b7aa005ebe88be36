"""Uses the Python client as a service does. TestClients runs it and checks the ledger afterwards."""

import os
import sys

sys.path.insert(0, os.environ["CLIENT_DIR"])
from credits import Client, CreditsError, PaymentRequired  # noqa: E402

assert "fastapi" not in sys.modules
credits = Client(os.environ["CREDITS_URL"] + "/", os.environ["CREDITS_KEY"])
user = {"email": os.environ["CREDITS_USER"]}


def equal(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def want_balance(balance, held):
    equal(credits.balance(user), {"creditsBalance": balance, "heldCredits": held, "availableCredits": balance - held, "replayed": False})


def refusal(call):
    try:
        call()
    except CreditsError as error:
        return error
    raise AssertionError("the call succeeded, want a CreditsError")


want_balance(60, 0)
first = credits.spend("resume_analysis", user, idempotency_key="python-1", metadata={"resume": 4711})
again = credits.spend("resume_analysis", user, idempotency_key="python-1", metadata={"resume": 4711})
equal((first["deltaCredits"], first["creditsBalance"], first["replayed"]), (-10, 50, False))
equal(again, {**first, "replayed": True})
equal(credits.spend("job_match", user, idempotency_key="faulty-python")["creditsBalance"], 45)

held = credits.hold("resume_improvement", user, ttl_seconds=60)
want_balance(45, 15)
equal(credits.capture(held["holdId"])["status"], "captured")
closed = refusal(lambda: credits.release(held["holdId"]))
equal((closed.status, closed.code, closed.detail["status"]), (409, "HOLD_NOT_OPEN", "captured"))

# FastAPI runs the dependency up to its yield, then resumes it or throws the handler's error into it.
dependency = credits.metered("job_match", lambda: user)
works = dependency(user)
next(works)
want_balance(30, 5)
equal(next(works, "ended"), "ended")
want_balance(25, 0)

fails = dependency(user)
equal(next(fails).hold["status"], "open")
try:
    fails.throw(KeyError("the handler failed"))
    raise AssertionError("the handler's error is lost")
except KeyError as error:
    equal(error.args, ("the handler failed",))
want_balance(25, 0)

marked = dependency(user)
next(marked).mark_failed()
equal(next(marked, "ended"), "ended")
want_balance(25, 0)

cancelled = dependency(user)
next(cancelled)
cancelled.close()
want_balance(25, 0)

credits.spend("resume_improvement", user)
poor = refusal(lambda: credits.hold("resume_improvement", user))
assert isinstance(poor, PaymentRequired) and poor.message and poor.request_id.startswith("req_"), poor
equal((poor.status, poor.code, poor.required, poor.available, poor.missing), (402, "INSUFFICIENT_CREDITS", 15, 10, 5))
assert poor.purchase_url.endswith("/purchase?package=100"), poor.purchase_url
equal(poor.envelope()["error"]["detail"]["missing"], 5)
equal(refusal(lambda: credits.spend("none", user)).code, "FEATURE_UNKNOWN")
unreachable = refusal(lambda: Client("http://127.0.0.1:9", "rmc_", attempts=2).balance(user))
equal((unreachable.status, unreachable.code), (503, "UNREACHABLE"))
