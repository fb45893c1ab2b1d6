"""The shop's work through psycopg, on the version that `diptych run` gives: `client.py RELEASE ROUNDS`, or `client.py seed`."""

import os
import sys

import psycopg

SCHEMA = {"1": "public_0001_shop", "2": "public_0002_split_name"}
NAME = {"1": "name", "2": "first_name || ' ' || last_name"}
SET = {"1": ("name", "%(first)s || ' ' || %(last)s"), "2": ("first_name, last_name", "%(first)s, %(last)s")}


def check(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found} in place of {wanted}")


def verify(connection, release):
    """What an app asks each new session: whether it is on the version that the app was made for."""
    (schema,) = connection.execute("SELECT (current_schemas(false))[1]::text").fetchone()
    if schema != SCHEMA[release]:
        raise ConnectionError(f"the session is on {schema}, and not on {SCHEMA[release]}")
    return connection


class Work:
    def __init__(self, connection, release):
        self.connection, self.release = connection, release
        self.name, (self.columns, self.values) = NAME[release], SET[release]

    def one(self, sql, user=None):
        return self.connection.execute(sql, user).fetchone()

    def path(self, _):
        check(self.one("SHOW search_path"), (f"{SCHEMA[self.release]}, public_diptych_guard, public",))

    def check(self, user):
        verify(self.connection, self.release)
        if user["number"] == 0:
            with psycopg.connect(os.environ["DATABASE_URL"], options="-c search_path=public") as elsewhere:
                try:
                    verify(elsewhere, self.release)
                except ConnectionError:
                    return
            raise AssertionError("a session elsewhere is not refused")

    def upsert(self, user):
        assign = ", ".join(f"{column} = excluded.{column}" for column in self.columns.split(", "))
        sql = f"INSERT INTO users (email, {self.columns}) VALUES (%(email)s, {self.values}) ON CONFLICT (email) DO UPDATE SET {assign} RETURNING id"
        there = self.one(sql, {**user, "first": "Old"})
        check(self.one(sql, user), there)
        check(self.one(f"SELECT {self.name} FROM users WHERE email = %(email)s", user), (f"{user['first']} {user['last']}",))

    def returning(self, user):
        sql = f"UPDATE users SET email = email WHERE email = %(email)s RETURNING email, {self.name}"
        check(self.one(sql, user), (user["email"], f"{user['first']} {user['last']}"))
        order = "INSERT INTO orders (user_id, product_id) SELECT id, 1 FROM users WHERE email = %(email)s RETURNING quantity"
        check(self.one(order, user), (1,))

    def join(self, user):
        sql = f"SELECT {self.name}, title, price_cents FROM users JOIN orders ON user_id = users.id JOIN products ON product_id = products.id WHERE email = %(email)s"
        check(self.one(sql, user), (f"{user['first']} {user['last']}", "Tea", 250))

    def group_by(self, user):
        sql = "SELECT email, count(*), sum(quantity) FROM users JOIN orders ON user_id = users.id WHERE email = %(email)s GROUP BY email"
        check(self.one(sql, user), (user["email"], 1, 1))

    def transaction(self, user):
        change = "UPDATE orders SET quantity = quantity + 1 WHERE user_id = (SELECT id FROM users WHERE email = %(email)s)"
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(change, user)
        with self.connection.transaction():
            self.connection.execute(change, user)
        check(self.one("SELECT quantity FROM orders JOIN users ON user_id = users.id WHERE email = %(email)s", user), (2,))

    def copy_out(self, user):
        with self.connection.cursor().copy(f"COPY (SELECT email, {self.name} FROM users WHERE email = '{user['email']}') TO STDOUT") as copy:
            check(list(copy.rows()), [(user["email"], f"{user['first']} {user['last']}")])

    def others_rows(self, user):
        sql = f"SELECT email, {self.name} FROM users WHERE email LIKE %(other)s AND {self.name} NOT LIKE 'Old %%' ORDER BY id DESC LIMIT 1"
        row = self.one(sql, {"other": f"%@release{3 - int(self.release)}"})
        if row is None:
            return False
        number = row[0].split("@")[0].split("-")[-1]
        check(row[1], f"First{number} Last {number}")
        return True


def main():
    connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    if sys.argv[1] == "seed":
        connection.execute("INSERT INTO products (title, price_cents) VALUES ('Tea', 250)")
        return
    release, rounds = sys.argv[1], int(sys.argv[2])
    work, failed = Work(verify(connection, release), release), False
    cells = {what: 0 for what in ("path", "check", "upsert", "returning", "join", "group_by", "transaction", "copy_out", "others_rows")}
    for number in range(rounds):
        user = {"email": f"psycopg-{number}@release{release}", "first": f"First{number}", "last": f"Last {number}", "number": number}
        for what, done in cells.items():
            try:
                if isinstance(done, int) and getattr(work, what)(user) is not False:
                    cells[what] += 1
            except Exception as error:
                print(f"psycopg, release {release}, {what}: {error}", file=sys.stderr)
                cells[what], failed = "failed", True
    for what, done in cells.items():
        print(f"{what}\t{done}")
    print("generated\t-")
    sys.exit(failed or 0 in cells.values())


main()
