-- The database of a bookshop, as an application of some years has it: the example of docs/adopt.md.
CREATE TYPE order_state AS ENUM ('cart', 'placed', 'paid', 'sent', 'returned');
CREATE TABLE publishers (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE authors (id serial PRIMARY KEY, name text NOT NULL, born date);
CREATE TABLE books (
  id bigserial PRIMARY KEY,
  isbn varchar(13) NOT NULL UNIQUE,
  title text NOT NULL,
  publisher_id integer NOT NULL REFERENCES publishers,
  price numeric(8,2) NOT NULL CHECK (price >= 0),
  pages smallint,
  details jsonb NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX books_title ON books (lower(title));
COMMENT ON TABLE books IS 'What is sold.';
CREATE TABLE book_authors (book_id bigint NOT NULL REFERENCES books ON DELETE CASCADE, author_id integer NOT NULL REFERENCES authors, position smallint NOT NULL DEFAULT 1, PRIMARY KEY (book_id, author_id));
CREATE TABLE tags (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE book_tags (book_id bigint NOT NULL REFERENCES books ON DELETE CASCADE, tag_id integer NOT NULL REFERENCES tags ON DELETE CASCADE, PRIMARY KEY (book_id, tag_id));
CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL, name text NOT NULL, joined timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX customers_email ON customers (lower(email));
CREATE TABLE addresses (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id uuid NOT NULL REFERENCES customers ON DELETE CASCADE, street text NOT NULL, city text NOT NULL, zip varchar(10) NOT NULL);
CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id uuid NOT NULL REFERENCES customers, state order_state NOT NULL DEFAULT 'cart', placed_at timestamptz, address_id bigint REFERENCES addresses);
CREATE INDEX orders_open ON orders (customer_id) WHERE state <> 'sent';
CREATE TABLE order_lines (order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE, book_id bigint NOT NULL REFERENCES books, count integer NOT NULL DEFAULT 1 CHECK (count > 0), price numeric(8,2) NOT NULL, PRIMARY KEY (order_id, book_id));
CREATE TABLE payments (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, amount numeric(10,2) NOT NULL, reference text, received timestamptz NOT NULL DEFAULT now());
CREATE TABLE shipments (id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, carrier text NOT NULL, tracking text, sent_on date NOT NULL DEFAULT current_date);
CREATE TABLE reviews (id bigserial PRIMARY KEY, book_id bigint NOT NULL REFERENCES books ON DELETE CASCADE, customer_id uuid REFERENCES customers ON DELETE SET NULL, stars smallint NOT NULL CHECK (stars BETWEEN 1 AND 5), words text, UNIQUE (book_id, customer_id));
CREATE TABLE stock (book_id bigint PRIMARY KEY REFERENCES books ON DELETE CASCADE, count integer NOT NULL DEFAULT 0, shelf text);
CREATE TABLE settings (name text PRIMARY KEY, value text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER books_touch BEFORE UPDATE ON books FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION total(of_order bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT coalesce(sum(count * price), 0) FROM order_lines WHERE order_id = of_order';
CREATE VIEW bestsellers AS SELECT book_id, sum(count) AS sold FROM order_lines GROUP BY book_id ORDER BY 2 DESC LIMIT 100;
INSERT INTO publishers (name) VALUES ('Broad Street');
INSERT INTO books (isbn, title, publisher_id, price) SELECT lpad(n::text, 13, '0'), 'Book ' || n, 1, 9.90 FROM generate_series(1, 1000) AS n;
