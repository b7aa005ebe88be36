"""What a service does with the Python client; the test that runs this looks at the ledger afterwards."""

import os
import sys

sys.path.insert(0, os.environ["CLIENT_DIR"])
from credits import Client, CreditsError, PaymentRequired  # noqa: E402

assert "fastapi" not in sys.modules
credits = Client(os.environ["CREDITS_URL"] + "/", os.environ["CREDITS_KEY"])
user = {"email": os.environ["CREDITS_USER"]}


def equal(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def have(balance, held):
    equal(credits.balance(user), {"creditsBalance": balance, "heldCredits": held, "availableCredits": balance - held, "replayed": False})


def refused(call):
    try:
        call()
    except CreditsError as error:
        return error
    raise AssertionError("was not refused")


have(60, 0)
first = credits.spend("resume_analysis", user, idempotency_key="python-1", metadata={"resume": 4711})
again = credits.spend("resume_analysis", user, idempotency_key="python-1", metadata={"resume": 4711})
equal((first["deltaCredits"], first["creditsBalance"], first["replayed"]), (-10, 50, False))
equal(again, {**first, "replayed": True})
equal(credits.spend("job_match", user, idempotency_key="faulty-python")["creditsBalance"], 45)

held = credits.hold("resume_improvement", user, ttl_seconds=60)
have(45, 15)
equal(credits.capture(held["holdId"])["status"], "captured")
closed = refused(lambda: credits.release(held["holdId"]))
equal((closed.status, closed.code, closed.detail["status"]), (409, "HOLD_NOT_OPEN", "captured"))

# As FastAPI drives it: to the yield, then on, or with the handler's error.
dependency = credits.metered("job_match", lambda: user)
works = dependency(user)
next(works)
have(30, 5)
equal(next(works, "ended"), "ended")
have(25, 0)

fails = dependency(user)
equal(next(fails).hold["status"], "open")
try:
    fails.throw(KeyError("the handler's own"))
    raise AssertionError("the handler's error is lost")
except KeyError as error:
    equal(error.args, ("the handler's own",))
have(25, 0)

marked = dependency(user)
next(marked).mark_failed()
equal(next(marked, "ended"), "ended")
have(25, 0)

cancelled = dependency(user)
next(cancelled)
cancelled.close()
have(25, 0)

credits.spend("resume_improvement", user)
poor = refused(lambda: credits.hold("resume_improvement", user))
assert isinstance(poor, PaymentRequired) and poor.message and poor.request_id.startswith("req_"), poor
equal((poor.status, poor.code, poor.required, poor.available, poor.missing), (402, "INSUFFICIENT_CREDITS", 15, 10, 5))
assert poor.purchase_url.endswith("/purchase"), poor.purchase_url
equal(poor.envelope()["error"]["detail"]["missing"], 5)
equal(refused(lambda: credits.spend("none", user)).code, "INVALID_REQUEST")
nobody = refused(lambda: Client("http://127.0.0.1:9", "rmc_", attempts=2).balance(user))
equal((nobody.status, nobody.code), (503, "UNREACHABLE"))
