//! A database of one test's own.

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use sg_db::{Db, DbConfig};
use sqlx::{Connection, PgConnection};

use crate::{TestCluster, cluster::TEMPLATE};

/// A migrated database; dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    /// The database as the server sees it.
    pub db: Db,
    name: String,
    cluster: &'static TestCluster,
}

impl TestDb {
    /// A copy of the migrated template.
    ///
    /// # Errors
    /// When PostgreSQL is not to be had.
    pub async fn new() -> Result<Self> {
        Self::with_template(TEMPLATE).await
    }

    /// An empty database that no migration has seen.
    ///
    /// # Errors
    /// When PostgreSQL is not to be had.
    pub async fn unmigrated() -> Result<Self> {
        Self::with_template("template0").await
    }

    #[expect(clippy::disallowed_methods, reason = "a name that no other test has")]
    async fn with_template(template: &str) -> Result<Self> {
        let cluster = TestCluster::shared().await?;
        let name = format!("sg_test_{}", uuid::Uuid::new_v4().simple());
        cluster
            .execute(format!("create database {name} template {template}"))
            .await?;
        let mut config = DbConfig::new(
            cluster.role_url("sg_app", &name),
            cluster.role_url("sg_system", &name),
        );
        config.app_connections = 8;
        config.system_connections = 6;
        Ok(Self {
            db: Db::connect_lazy(&config)?,
            name,
            cluster,
        })
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// libpq URI as one of `sg_app`, `sg_system`, `sg_admin`.
    pub fn url(&self, role: &str) -> SecretString {
        self.cluster.role_url(role, &self.name)
    }

    /// libpq URI as the superuser: what an attacker with the whole machine has, and what migrates.
    pub fn superuser_url(&self) -> SecretString {
        self.cluster.superuser_url(&self.name)
    }

    /// A connection of its own as `role`, or as the superuser when the role is `postgres`.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn connect(&self, role: &str) -> Result<PgConnection> {
        let url = if role == "postgres" {
            self.superuser_url()
        } else {
            self.url(role)
        };
        Ok(PgConnection::connect(url.expose_secret()).await?)
    }

    /// One figure, asked as the superuser, whom row security does not bind.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn count(&self, query: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(query)
            .fetch_one(&mut self.connect("postgres").await?)
            .await?)
    }

    /// Runs statements as the superuser, to bring a database into a state that no operation of the product makes.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub async fn execute(&self, statements: &'static str) -> Result<()> {
        sqlx::raw_sql(statements)
            .execute(&mut self.connect("postgres").await?)
            .await?;
        Ok(())
    }

    /// Brings this database to the present schema.
    ///
    /// # Errors
    /// Those of [`sg_db::migrate`].
    pub async fn migrate(&self) -> Result<sg_db::MigrationReport> {
        Ok(sg_db::migrate(&self.superuser_url(), &self.cluster.verifiers()).await?)
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (cluster, name) = (self.cluster, std::mem::take(&mut self.name));
        // A runtime of its own: the test's may be ending. A database that stays behind goes with the cluster's folder.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(cluster.execute(format!("drop database if exists {name} with (force)")))
        });
        drop(dropping.join());
    }
}
