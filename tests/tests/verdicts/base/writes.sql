-- what the running release may do, one statement a line
INSERT INTO teams (name, size) VALUES ('blue', 1)
INSERT INTO users (email, name, code) VALUES ('a@x', 'Same', 'Same')
INSERT INTO users (email, name, age, team, code, visits, mood, last_mood, note) VALUES ('b@x', 'Same', NULL, NULL, 'Same', 7, 'happy', NULL, NULL)
INSERT INTO users (email, name, age, team, code, visits, mood, last_mood, note) VALUES ('c@x', '', -1, 1, '', 0, 'sad', 'happy', '')
INSERT INTO users (email, name, age, team, code, visits, mood, note) VALUES ('d@x', 'same', -1, 1, 'Same', 7, 'sad', 'b@x')
INSERT INTO users (email, name, age, code, visits) VALUES ('A@x', 'Same', NULL, 'Same', -5)
INSERT INTO users (email, name, code) VALUES ('e@x', 'Longer than twenty letters, all of it', '12345678901234567890') ON CONFLICT (email) DO UPDATE SET name = EXCLUDED.name
UPDATE users SET age = NULL, team = NULL, note = NULL, last_mood = NULL WHERE email = 'c@x'
UPDATE users SET name = 'Same', age = 2147483647 WHERE email = 'd@x'
UPDATE teams SET size = 3
INSERT INTO orders (shop, number, reference, placed, buyer) VALUES (1, 3, 'r1', NULL, 1)
INSERT INTO orders (shop, number, reference, placed, buyer) VALUES (2, 3, 'r1', 9223372036854775807, 1)
UPDATE orders SET reference = '' WHERE number = 3
DELETE FROM users WHERE email = 'a@x'
DELETE FROM orders WHERE number = 2
