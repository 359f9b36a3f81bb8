//! A server that somebody else runs: whether it answers and is new enough.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::programs::OLDEST;

/// A server that has not answered for so long does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// The major version of the server at `url`.
///
/// # Errors
/// A sentence: it does not answer, refuses, or is too old.
pub async fn reach(url: &str) -> Result<u32, String> {
    let asked = tokio::time::timeout(PATIENCE, async {
        let mut connection = PgConnection::connect(url).await?;
        let number = sqlx::query_scalar::<_, String>("SHOW server_version_num").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(number)
    });
    let number = match asked.await {
        Err(_) => {
            return Err(format!("no server answers there within {} s: look at host and port", PATIENCE.as_secs()));
        }
        Ok(Err(error)) => return Err(format!("the server can't be used: {error}")),
        Ok(Ok(number)) => number,
    };
    match number.parse::<u32>().unwrap_or(0) / 10_000 {
        major if major >= OLDEST => Ok(major),
        major => Err(format!("the server is Postgres {major}: use Postgres {OLDEST} or newer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_without_the_password() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let said = reach(&format!("postgres://me:secret@{address}/x")).await.unwrap_err();
        assert!(said.contains("can't be used") && !said.contains("secret"), "{said}");
    }
}
