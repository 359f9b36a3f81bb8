//! A dashboard of the test's own, on a port and a database of its own.

use std::time::Duration;

use daemon::Shell;
use dashboard::Config;
use reqwest::{Client, Response, StatusCode};
use sqlx::{AssertSqlSafe, Executor as _};
use tokio::task::JoinHandle;

use crate::postgres::{self, Database};

pub(crate) struct World {
    pub(crate) shell: Shell,
    pub(crate) client: Client,
    pub(crate) config: Config,
    base: String,
    server: Option<JoinHandle<anyhow::Result<()>>>,
    database: Option<Database>,
}

impl World {
    /// With the projector's tables, empty.
    pub(crate) async fn new() -> Self {
        let database = postgres::database().await;
        let options = database.url.parse().unwrap();
        projector::store::prepare(&options, &"play".parse().unwrap()).await.unwrap();
        let mut world = Self::over(&database.url).await;
        world.database = Some(database);
        world
    }

    /// Over a database that the test looks after.
    pub(crate) async fn over(database_url: &str) -> Self {
        Self::told(database_url, &[]).await
    }

    /// The same with more on its command line.
    pub(crate) async fn told(database_url: &str, more: &[&str]) -> Self {
        let line = ["dashboard", "--database-url", database_url, "--listen", "127.0.0.1:0"];
        let line = line.iter().chain(more).map(Into::into);
        let loaded = daemon::config::load::<Config>(line, &|_| None).unwrap_or_else(|stop| panic!("{stop:?}"));
        let shell = Shell::detached();
        let config = loaded.config;
        let server = tokio::spawn(dashboard::run(config.clone(), shell.clone()));
        let mut waited = 0;
        let address = loop {
            if let Some(address) = shell.ready.addresses().get("dashboard") {
                break *address;
            }
            waited += 1;
            assert!(waited < 500, "the dashboard does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { shell, client, config, base: format!("http://{address}"), server: Some(server), database: None }
    }

    /// Puts a row into a table of the generation that is shown.
    pub(crate) async fn insert(&self, table: &str, row: serde_json::Value) {
        let sql = format!("INSERT INTO play_g1.{table} SELECT * FROM jsonb_populate_record(NULL::play_g1.{table}, $1)");
        sqlx::query(AssertSqlSafe(sql)).bind(row).execute(self.pool()).await.unwrap();
    }

    /// Runs SQL as the owner of the tables.
    pub(crate) async fn run(&self, sql: &'static str) {
        self.pool().execute(sql).await.unwrap();
    }

    /// The owner's own connections.
    pub(crate) fn pool(&self) -> &sqlx::PgPool {
        &self.database.as_ref().unwrap().pool
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    /// The same, asked for by this name.
    pub(crate) async fn asked_for(&self, host: &str, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).header("host", host).send().await.unwrap()
    }

    /// A page, which has to be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// A page that can't be shown: what it is answered with.
    pub(crate) async fn refusal(&self, path: &str) -> (StatusCode, String) {
        let answer = self.get(path).await;
        (answer.status(), answer.text().await.unwrap())
    }

    /// Asks until a page is as it should be, for as long as a reader would wait.
    pub(crate) async fn until(&self, path: &str, status: StatusCode) -> String {
        for _ in 0..100 {
            let answer = self.get(path).await;
            if answer.status() == status {
                return answer.text().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{path} was never answered with {status}");
    }

    /// Drains and waits for the end.
    pub(crate) async fn end(&mut self) {
        self.shell.shutdown.drain();
        let server = self.server.take().unwrap();
        tokio::time::timeout(Duration::from_secs(5), server).await.expect("drains in time").unwrap().unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}
