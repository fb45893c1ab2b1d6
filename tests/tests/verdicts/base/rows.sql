INSERT INTO teams (name, size) VALUES ('red', 1), ('green', 2);
INSERT INTO users (email, name, age, team, code, visits, mood, note) VALUES
  ('one@x', 'Same', 1, 1, 'A', 1, 'sad', 'first'), ('two@x', 'Other', 20, 2, 'B', 5, 'happy', 'second');
INSERT INTO orders VALUES (1, 1, 'r1', 5, 1), (1, 2, 'r2', 7, 2);
INSERT INTO logs VALUES (1, 'start')
