//! Extended statistics that belong to somebody else, or that somebody made by hand.

use diptych::Quiet;
use diptych_tests::{Database, ask, difference, migration, must};

const USERS: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: city, type: text}
        - {name: age, type: integer, nullable: true}
  - create_statistics: {name: users_both, table: users, columns: [city, age]}
";
const CONVERT: &str = "operations: [{alter_column: {table: users, column: age, type: bigint, up: age, down: age}}]";

#[tokio::test(flavor = "multi_thread")]
async fn those_of_another_owner_are_named_before_anything_is_changed() {
    let mut database = Database::new().await;
    let admin = database.client().await;
    let (name, owner) = (database.name.clone(), format!("owner_{}", database.name));
    let rights = format!(
        "CREATE ROLE {owner} LOGIN; GRANT CREATE ON DATABASE {name} TO {owner}; CREATE SCHEMA shop AUTHORIZATION {owner}"
    );
    must(&admin, &rights).await;
    database.server.user(&owner);
    database.base = "shop".to_owned();
    let all = [migration("0001_before", USERS), migration("0002_change", CONVERT)];
    database.migrate(&all[..1]).await;
    must(&admin, "ALTER STATISTICS shop.users_both OWNER TO postgres; ALTER STATISTICS shop.users_both SET STATISTICS 70").await;
    let before = database.catalog().await;
    let mut migrator = database.migrator().await;
    let said = migrator.start(&all, None, &mut Quiet).await.expect_err("somebody else's").to_string();
    assert!(said.contains("statistics users_both (owner postgres)"), "{said}");
    let now = database.catalog().await;
    assert_eq!(before, now, "{}", difference(&before, &now));
    // the hint, followed literally
    let mend = format!("ALTER STATISTICS shop.users_both OWNER TO {owner}");
    assert!(said.contains(&mend), "{said}");
    must(&admin, &mend).await;
    database.migrate_on(&all).await;
    let there = "SELECT stxname, stxstattarget, stxowner::regrole FROM pg_statistic_ext";
    assert_eq!(ask(&admin, there).await, format!("users_both|70|{owner}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_no_migration_knows_are_not_lost_with_their_column() {
    let database = Database::new().await;
    let client = database.client().await;
    let all = [migration("0001_before", USERS), migration("0002_change", CONVERT)];
    database.migrate(&all[..1]).await;
    must(&client, "CREATE STATISTICS by_hand ON age, id FROM users; CREATE STATISTICS elsewhere ON city, id FROM users").await;
    let said = database.migrator().await.start(&all, None, &mut Quiet).await.expect_err("unknown").to_string();
    assert!(
        said.contains("statistics object public.by_hand") && !said.contains("elsewhere") && !said.contains("users_both"),
        "{said}"
    );
    // the hint, followed literally
    assert!(said.contains("drop the objects named above before the migration"), "{said}");
    must(&client, "DROP STATISTICS by_hand").await;
    database.migrate_on(&all).await;
    let there = "SELECT stxname FROM pg_statistic_ext ORDER BY stxname";
    assert_eq!(ask(&client, there).await, "elsewhere;users_both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_has_is_named_before_anything_is_changed() {
    let database = Database::new().await;
    let client = database.client().await;
    let change = "operations: [{create_statistics: {name: taken, table: users, columns: [id, city]}}]";
    let all = [migration("0001_before", USERS), migration("0002_change", change)];
    database.migrate(&all[..1]).await;
    must(&client, "CREATE TABLE other (a int, b int); CREATE STATISTICS taken ON a, b FROM other").await;
    let said = database.migrator().await.start(&all, None, &mut Quiet).await.expect_err("taken").to_string();
    assert!(
        said.contains("statistics object public.taken (the name is needed for statistics `taken` of table `users`)"),
        "{said}"
    );
    let (_, mend) = said.split_once("ALTER STATISTICS public.taken RENAME TO ").expect(&said);
    let mend = mend.lines().next().unwrap_or_default();
    must(&client, &format!("ALTER STATISTICS public.taken RENAME TO {mend}")).await;
    database.migrate_on(&all).await;
    let wrong = "operations: [{create_statistics: {name: more, table: users, expressions: [nothing(city)]}}]";
    let third = [all[0].clone(), all[1].clone(), migration("0003_wrong", wrong)];
    let said = database.migrator().await.start(&third, None, &mut Quiet).await.expect_err("no function").to_string();
    assert!(said.contains("statistics `more` of table `users` cannot be created") && said.contains("nothing(text)"), "{said}");
}
