diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/composites",
        composites: [
            address(street: "text", zip: "text", country: "text"),
            "Full Name"(first: "text", family: "text"),
            point(y: "integer", x: "integer"),
            pair(one: "text", one: "text"),
            share(part: "bigint"),
        ],
    }
}

fn main() {}
