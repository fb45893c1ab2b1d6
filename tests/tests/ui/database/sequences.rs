diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/sequences",
        sequences: [
            invoice_number(start = 1000, increment = -5, max = 5000),
            "Short Ones"(type = "smallint", max = 40000),
            new_number,
            new(type = "text"),
            spare(start = 0),
        ],
        dropped: ["old_number"],
    }
}

diptych::database! {
    pub struct Other {
        migrations: "tests/tests/ui/snapshots/sequences",
        sequences: [invoice_number(start = 1000, increment = 5), spare(max = 99), spare, old_number],
        dropped: ["old_number"],
    }
}

diptych::database! {
    pub struct Third {
        migrations: "tests/tests/ui/snapshots/sequences",
        sequences: [invoice_number(start = 99999999999999999999)],
    }
}

fn main() {}
