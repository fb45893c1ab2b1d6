//! The leases that there are.

use tokio_postgres::GenericClient;

use crate::error::Result;
use crate::lease::Lease;

/// Who uses which version of a base schema now.
pub(crate) async fn list(client: &impl GenericClient, base: &str) -> Result<Vec<Lease>> {
    let there: bool = client.query_one("SELECT pg_catalog.to_regclass('diptych.leases') IS NOT NULL", &[]).await?.get(0);
    if !there {
        return Ok(Vec::new());
    }
    let rows = client
        .query(
            "SELECT version, application, host, process, role, extract(epoch FROM pg_catalog.clock_timestamp() - since)::pg_catalog.int8, \
             extract(epoch FROM pg_catalog.clock_timestamp() - seen)::pg_catalog.int8 FROM diptych.leases \
             WHERE base = $1 AND expires > pg_catalog.clock_timestamp() ORDER BY version, host, process, id",
            &[&base],
        )
        .await?;
    let lease = |row: &tokio_postgres::Row| Lease {
        version: row.get(0),
        application: row.get(1),
        host: row.get(2),
        process: row.get(3),
        role: row.get(4),
        since: row.get(5),
        seen: row.get(6),
    };
    Ok(rows.iter().map(lease).collect())
}

/// Removes what has expired.
pub(crate) async fn forget_expired(client: &impl GenericClient) -> Result<()> {
    // without a wait for whoever is at one of them
    let gone = "SELECT id FROM diptych.leases WHERE expires < pg_catalog.clock_timestamp() FOR UPDATE SKIP LOCKED";
    client.execute(&format!("DELETE FROM diptych.leases WHERE id IN ({gone})"), &[]).await?;
    Ok(())
}
