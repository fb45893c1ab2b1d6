diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/domains",
        domains: [
            years(type = "integer", not_null, check(name = "grown", expr = "VALUE > 0")),
            share(type = "numeric", not_null),
            "Short Text"(type = "text", collate = "C"),
            new(),
            "a_domain_whose_name_is_longer_than_the_server_keeps_names_of_any_kind_of_it"(type = "text"),
        ],
    }
}

fn main() {}
