--! upsert
INSERT INTO users (email, name) VALUES (:email, :name)
ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id;

--! update
UPDATE users SET email = email WHERE email = :email RETURNING email, name;

--! order_tea
INSERT INTO orders (user_id, product_id) VALUES (:user_id, 1) RETURNING quantity;

--! join
SELECT name, title, price_cents FROM users JOIN orders ON user_id = users.id JOIN products ON product_id = products.id
WHERE email = :email;

--! group_by
SELECT email, count(*) AS count, sum(quantity) AS sum FROM users JOIN orders ON user_id = users.id WHERE email = :email GROUP BY email;

--! change
UPDATE orders SET quantity = quantity + 1 WHERE user_id = :user_id;

--! quantity
SELECT quantity FROM orders WHERE user_id = :user_id;

--! newest
SELECT email, name FROM users WHERE email LIKE :emails ORDER BY id DESC LIMIT 1;
