//! A browser as far as a sign-in needs one: cookies, redirects, and forms of the provider's pages. It speaks HTTP to the provider and calls
//! the server in this process for everything that goes to `localhost:8080`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, header};

use crate::app::{Answer, App, request};

/// The server's own address in these tests.
const OWN: &str = "http://localhost:8080";

#[derive(Default)]
pub(crate) struct Browser {
    /// Cookies of our server, by name.
    pub(crate) cookies: BTreeMap<String, String>,
    provider_cookies: BTreeMap<String, String>,
}

impl Browser {
    /// GET of a path of ours, with cookies.
    pub(crate) async fn get(&mut self, app: &App, path: &str) -> Answer {
        self.call(app, Method::GET, path).await
    }

    /// A request to a path of ours, with cookies and the header against forgery.
    pub(crate) async fn call(&mut self, app: &App, method: Method, path: &str) -> Answer {
        let cookies = join(&self.cookies);
        let mut call = request(method, path).header("x-secureguard-csrf", "1");
        if !cookies.is_empty() {
            call = call.header(header::COOKIE, cookies);
        }
        let answer = app.send(call.body(Body::empty()).unwrap()).await;
        for value in answer.headers.get_all(header::SET_COOKIE) {
            keep(&mut self.cookies, value.to_str().unwrap());
        }
        answer
    }

    /// Begins a sign-in; yields where the provider is asked.
    pub(crate) async fn start(&mut self, app: &App, provider_id: &str) -> String {
        let path = format!("/api/v1/sessions/oidc/{provider_id}/start?return_to=/threats");
        let answer = self.get(app, &path).await;
        assert_eq!(answer.status, 303, "{:?}", answer.body);
        answer.header("location").to_owned()
    }

    /// Signs in at the provider as `login` and yields the path of ours that it sends the browser back to.
    pub(crate) async fn sign_in_at_provider(&mut self, location: &str, login: &str) -> String {
        let mut next = location.to_owned();
        for _ in 0..20 {
            if let Some(path) = next.strip_prefix(OWN) {
                return path.to_owned();
            }
            let (to, page) = self.visit(&next, None).await;
            next = match to {
                Some(to) => to,
                None => {
                    let prompt = if page.contains("value=\"login\"") {
                        "login"
                    } else {
                        "consent"
                    };
                    let form = format!("prompt={prompt}&login={login}&password=any");
                    let action = page
                        .split("action=\"")
                        .nth(1)
                        .and_then(|rest| rest.split('"').next())
                        .unwrap_or_else(|| panic!("no form on {page}"));
                    self.visit(action, Some(form))
                        .await
                        .0
                        .expect("a form leads somewhere")
                }
            };
        }
        panic!("the provider sends the browser in circles");
    }

    /// The whole way: begins, signs in at the provider, comes back.
    pub(crate) async fn sign_in(&mut self, app: &App, provider_id: &str, login: &str) -> Answer {
        let location = self.start(app, provider_id).await;
        let back = self.sign_in_at_provider(&location, login).await;
        self.get(app, &back).await
    }

    async fn visit(&mut self, url: &str, form: Option<String>) -> (Option<String>, String) {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let mut call = match form {
            Some(form) => client
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form),
            None => client.get(url),
        };
        call = call.header("cookie", join(&self.provider_cookies));
        let answer = call.send().await.unwrap();
        for value in answer.headers().get_all("set-cookie") {
            keep(&mut self.provider_cookies, value.to_str().unwrap());
        }
        let base: url::Url = url.parse().unwrap();
        let to = answer
            .headers()
            .get("location")
            .map(|to| base.join(to.to_str().unwrap()).unwrap().to_string());
        (to, answer.text().await.unwrap())
    }
}

fn keep(jar: &mut BTreeMap<String, String>, set: &str) {
    let (pair, attributes) = set.split_once(';').unwrap_or((set, ""));
    let (name, value) = pair.split_once('=').unwrap();
    let gone = value.is_empty() || attributes.contains("Max-Age=0") || attributes.contains("1970");
    if gone {
        jar.remove(name);
    } else {
        jar.insert(name.to_owned(), value.to_owned());
    }
}

fn join(jar: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = jar
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("; ")
}
