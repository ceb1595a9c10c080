//! Forgotten passwords, invitations and notifications, through a real mail server.

mod invitations;
mod outbox;
mod resets;
mod sink;

use serde_json::{Value, json};
use sg_server::jobs;

use super::app::{Answer, App};
pub(crate) use sink::{Mail, Sink};

pub(crate) const NEW: &str = "Gravel-lantern4-quince";

/// A server that sends its mail to a mail server of its own.
async fn start() -> (App, Sink) {
    let sink = Sink::start().await;
    let app = App::start_with(|config| sink.configure(&mut config.mail)).await;
    (app, sink)
}

async fn ask(app: &App, account: &str) -> Answer {
    app.post("/api/v1/users/password-resets", "", json!({"account": account}))
        .await
}

async fn redeem(app: &App, token: &str, password: &str) -> Answer {
    let body: Value = json!({"token": token, "new_password": password});
    app.post("/api/v1/users/password-resets/redeem", "", body).await
}

/// What the mail server gets from one run of the sender.
async fn sent(app: &App, sink: &Sink) -> Vec<Mail> {
    jobs::send_mail(app.state.clone()).await.unwrap();
    sink.take()
}
