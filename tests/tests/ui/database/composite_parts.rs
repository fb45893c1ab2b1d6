diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/composites",
        composites: [address(street, zip: "text")],
    }
}

diptych::database! {
    pub struct Other {
        migrations: "tests/tests/ui/snapshots/composites",
        composites: [address(street(type = "text", nul), zip: "text")],
    }
}

fn main() {}
