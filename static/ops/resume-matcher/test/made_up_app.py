"""A made-up Resume Matcher for the tests of the tenant add-on. It has the names and shapes of the real one:
app.database.db, app.main:app, and a router that imports db by its name."""

from pathlib import Path

DATABASE = '''
import asyncio, contextlib, os, sqlite3, uuid
from pathlib import Path

class Database:
    alive = most = 0

    def __init__(self, db_path=None):
        self.db_path = db_path or Path(os.environ["DATA_DIR"], "resume_matcher.db")
        self.connection = None

    @property
    def session(self):
        if self.connection is None:
            Database.alive += 1
            Database.most = max(Database.most, Database.alive)
            self.connection = sqlite3.connect(self.db_path, isolation_level=None)
            self.connection.execute("PRAGMA synchronous = OFF")
            self.connection.execute("PRAGMA journal_mode = MEMORY")
            self.connection.execute("CREATE TABLE IF NOT EXISTS resumes (resume_id PRIMARY KEY, content)")
            self.connection.execute("CREATE TABLE IF NOT EXISTS api_keys (provider PRIMARY KEY, ciphertext)")
        return self.connection

    async def run(self, sql, *values):
        session = self.session
        await asyncio.sleep(0)
        return [dict(zip(("resume_id", "content"), row)) for row in session.execute(sql, values)]

    async def create_resume(self, content):
        resume = {"resume_id": str(uuid.uuid4()), "content": content}
        await self.run("INSERT INTO resumes VALUES (?, ?)", *resume.values())
        return resume

    async def list_resumes(self):
        return await self.run("SELECT * FROM resumes")

    async def get_resume(self, resume_id):
        return next(iter(await self.run("SELECT * FROM resumes WHERE resume_id = ?", resume_id)), None)

    async def update_resume(self, resume_id, content):
        await self.run("UPDATE resumes SET content = ? WHERE resume_id = ?", content, resume_id)
        return await self.get_resume(resume_id)

    async def delete_resume(self, resume_id):
        found = await self.get_resume(resume_id)
        await self.run("DELETE FROM resumes WHERE resume_id = ?", resume_id)
        return found

    def set_api_key(self, provider, ciphertext):
        self.session.execute("INSERT OR REPLACE INTO api_keys VALUES (?, ?)", (provider, ciphertext))

    def get_api_keys(self):
        return dict(self.session.execute("SELECT * FROM api_keys"))

    async def close(self):
        connection, self.connection = self.connection, None
        await asyncio.sleep(0)
        if connection is not None:
            Database.alive -= 1
            connection.close()

db = Database()
'''

ROUTERS = '''
import asyncio
from app.database import Database, db

asked, gate = 0, None

async def check_llm_health(config=None):
    global asked
    asked += 1
    await asyncio.sleep(0)
    return {"healthy": True}

async def status():
    return {"llm_healthy": (await check_llm_health())["healthy"], "total": len(await db.list_resumes())}

async def own_database():
    return Database("own.db")

async def pdf(resume_id):
    found = await db.get_resume(resume_id)
    if gate:
        gate.set_result(None)
        await asyncio.Future()
    return found

async def later():
    async def work():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        try:
            return len(await db.list_resumes())
        except RuntimeError as error:
            return str(error)
    later.task = asyncio.ensure_future(work())
    return {}

async def session():
    return [row[1] for row in db.session.execute("SELECT * FROM resumes")]
'''

MAIN = '''
import json, urllib.parse
from app.database import db
from app.routers import health

def route(method, path, query, body):
    parts = path.split("/")[3:]
    resume = urllib.parse.parse_qs(query.decode()).get("resume_id", [""])[0]
    routes = {
        ("GET", "health"): None, ("GET", "status"): health.status, ("GET", "own"): health.own_database,
        ("GET", "later"): health.later, ("GET", "session"): health.session,
        ("GET", "resumes"): lambda: db.get_resume(resume), ("GET", "resumes/list"): lambda: db.list_resumes(),
        ("POST", "resumes/upload"): lambda: db.create_resume(body.decode()),
    }
    name = "/".join(parts)
    if (method, name) in routes:
        return routes[method, name]
    if parts[:2] == ["resumes", "render-drafts"]:
        return None
    if parts[:1] == ["resumes"] and parts[2:] == ["pdf"]:
        return lambda: health.pdf(parts[1])
    return {"GET": lambda: db.get_resume(parts[1]), "PATCH": lambda: db.update_resume(parts[1], body.decode()),
            "DELETE": lambda: db.delete_resume(parts[1])}[method]

class App:
    def openapi(self):
        return {"info": {"version": "1.2.0"}, "paths": {"/api/v1/status": {"get": {}}, "/api/v1/resumes": {"get": {}}}}

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            db.get_api_keys()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await db.close()
            return await send({"type": "lifespan.shutdown.complete"})
        serve = route(scope["method"], scope["path"], scope["query_string"], (await receive())["body"])
        found = await serve() if serve else {"status": "healthy"}
        status = 404 if found is None else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(found, default=str).encode()})

app = App()
'''


def write_app(folder, **changes):
    """Write the made-up Resume Matcher into a folder. A change adds lines to a module."""
    modules = {"__init__": "", "database": DATABASE, "main": MAIN, "routers/__init__": "", "routers/health": ROUTERS}
    for name, source in modules.items():
        path = Path(folder, "app", name + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source + changes.get(name.replace("/", "_"), ""))
