// The shop's work through pg, on the version that `diptych run` gives: `client.mjs RELEASE ROUNDS`.

import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import pg from "pg";
import { to as copyTo } from "pg-copy-streams";

const [release, rounds] = [process.argv[2], Number(process.argv[3])];
const schema = { 1: "public_0001_shop", 2: "public_0002_split_name" }[release];
const name = { 1: "name", 2: "first_name || ' ' || last_name" }[release];
const columns = { 1: ["name"], 2: ["first_name", "last_name"] }[release];
const values = { 1: "$2::text || ' ' || $3::text", 2: "$2, $3" }[release];
// what an app asks each new session: whether it is on the version that the app was made for
const verify = async (client) => {
  const found = (await client.query("SELECT (current_schemas(false))[1]::text AS schema")).rows[0].schema;
  if (found !== schema) throw new Error(`the session is on ${found}, and not on ${schema}`);
};
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 3, onConnect: verify });
const one = async (sql, given) => (await pool.query({ text: sql, values: given, rowMode: "array" })).rows[0];

const work = {
  async path() {
    assert.deepEqual(await one("SHOW search_path", []), [`${schema}, public_diptych_guard, public`]);
  },
  async check({ number }) {
    const client = await pool.connect();
    await verify(client);
    client.release();
    if (number > 0) return;
    const elsewhere = new pg.Client({ connectionString: `${process.env.DATABASE_URL}&options=-csearch_path%3Dpublic` });
    await elsewhere.connect();
    await assert.rejects(verify(elsewhere), /and not on/);
    await elsewhere.end();
  },
  async upsert({ email, first, last }) {
    const assign = columns.map((column) => `${column} = excluded.${column}`).join(", ");
    const sql = `INSERT INTO users (email, ${columns}) VALUES ($1, ${values}) ON CONFLICT (email) DO UPDATE SET ${assign} RETURNING id`;
    const there = await one(sql, [email, "Old", last]);
    assert.deepEqual(await one(sql, [email, first, last]), there);
    assert.deepEqual(await one(`SELECT ${name} FROM users WHERE email = $1`, [email]), [`${first} ${last}`]);
  },
  async returning({ email, first, last }) {
    const row = await one(`UPDATE users SET email = email WHERE email = $1 RETURNING email, ${name}`, [email]);
    assert.deepEqual(row, [email, `${first} ${last}`]);
    const order = "INSERT INTO orders (user_id, product_id) SELECT id, 1 FROM users WHERE email = $1 RETURNING quantity";
    assert.deepEqual(await one(order, [email]), [1]);
  },
  async join({ email, first, last }) {
    const sql = `SELECT ${name}, title, price_cents::int FROM users JOIN orders ON user_id = users.id JOIN products ON product_id = products.id WHERE email = $1`;
    assert.deepEqual(await one(sql, [email]), [`${first} ${last}`, "Tea", 250]);
  },
  async group_by({ email }) {
    const sql = "SELECT email, count(*)::int, sum(quantity)::int FROM users JOIN orders ON user_id = users.id WHERE email = $1 GROUP BY email";
    assert.deepEqual(await one(sql, [email]), [email, 1, 1]);
  },
  async transaction({ email }) {
    const change = "UPDATE orders SET quantity = quantity + 1 WHERE user_id = (SELECT id FROM users WHERE email = $1)";
    const client = await pool.connect();
    for (const end of ["ROLLBACK", "COMMIT"]) {
      await client.query("BEGIN");
      await client.query({ name: "change", text: change, values: [email] });
      await client.query(end);
    }
    client.release();
    assert.deepEqual(await one("SELECT quantity FROM orders JOIN users ON user_id = users.id WHERE email = $1", [email]), [2]);
  },
  async copy_out({ email, first, last }) {
    const client = await pool.connect();
    const rows = await text(client.query(copyTo(`COPY (SELECT email, ${name} FROM users WHERE email = '${email}') TO STDOUT`)));
    client.release();
    assert.equal(rows, `${email}\t${first} ${last}\n`);
  },
  async others_rows() {
    const sql = `SELECT email, ${name} FROM users WHERE email LIKE $1 AND ${name} NOT LIKE 'Old %' ORDER BY id DESC LIMIT 1`;
    const row = await one(sql, [`%@release${3 - release}`]);
    if (!row) return false;
    const number = row[0].split("@")[0].split("-").at(-1);
    assert.equal(row[1], `First${number} Last ${number}`);
  },
};

const cells = Object.fromEntries(Object.keys(work).map((what) => [what, 0]));
for (let number = 0; number < rounds; number++) {
  const user = { email: `pg-${number}@release${release}`, first: `First${number}`, last: `Last ${number}`, number };
  for (const what in work) {
    try {
      if (cells[what] !== "failed" && (await work[what](user)) !== false) cells[what]++;
    } catch (error) {
      console.error(`pg, release ${release}, ${what}: ${error.message}`);
      cells[what] = "failed";
    }
  }
}
for (const what in cells) console.log(`${what}\t${cells[what]}`);
console.log("generated\t-");
await pool.end();
process.exitCode = Object.values(cells).some((cell) => cell === "failed" || cell === 0) ? 1 : 0;
