// @generated automatically by Diesel CLI.

diesel::table! {
    orders (id) {
        id -> Int8,
        user_id -> Int8,
        product_id -> Int8,
        quantity -> Int4,
        status -> Text,
    }
}

diesel::table! {
    products (id) {
        id -> Int8,
        title -> Text,
        price_cents -> Int8,
    }
}

diesel::table! {
    users (id) {
        id -> Int8,
        email -> Text,
        first_name -> Text,
        last_name -> Text,
    }
}

diesel::joinable!(orders -> products (product_id));
diesel::joinable!(orders -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(orders, products, users,);
