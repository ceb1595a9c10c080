//! Limits for callers who have proved nothing, by address and by what they try.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::RateLimitsConfig;
use crate::error::ApiError;

/// Keys that are kept at most before idle ones are forgotten at once.
const MAX_KEYS: usize = 100_000;
/// Characters of a user name that count; longer ones cannot exist.
const USERNAME_CHARS: usize = 64;

/// The limits of a server.
#[derive(Debug)]
pub struct RateLimits {
    sign_in_by_address: Limit<IpAddr>,
    sign_in_by_user: Limit<(IpAddr, String)>,
    enrol_by_address: Limit<IpAddr>,
    password_reset_by_address: Limit<IpAddr>,
    download_by_address: Limit<IpAddr>,
}

impl RateLimits {
    /// Limits of the configured sizes.
    pub fn new(config: &RateLimitsConfig) -> Self {
        Self {
            sign_in_by_address: Limit::new(
                "sign_in_address",
                config.sign_in_per_address_per_minute,
                config.sign_in_per_address_burst,
            ),
            sign_in_by_user: Limit::new(
                "sign_in_user",
                config.sign_in_per_user_per_minute,
                config.sign_in_per_user_burst,
            ),
            enrol_by_address: Limit::new(
                "enrol_address",
                config.enrol_per_address_per_minute,
                config.enrol_per_address_burst,
            ),
            password_reset_by_address: Limit::new(
                "password_reset_address",
                config.password_reset_per_address_per_minute,
                config.password_reset_per_address_burst,
            ),
            download_by_address: Limit::new(
                "download_address",
                config.download_per_address_per_minute,
                config.download_per_address_burst,
            ),
        }
    }

    /// Counts a sign-in.
    ///
    /// # Errors
    /// 429 with the time to wait, before any password is looked at and without touching the account's own counter.
    pub fn check_sign_in(&self, address: IpAddr, username: &str) -> Result<(), ApiError> {
        let address = network_of(address);
        self.sign_in_by_address.check(&address)?;
        let username = username.to_lowercase().chars().take(USERNAME_CHARS).collect();
        self.sign_in_by_user.check(&(address, username))
    }

    /// Counts a step of a sign-in that a provider has a part in.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check_provider_sign_in(&self, address: IpAddr) -> Result<(), ApiError> {
        self.sign_in_by_address.check(&network_of(address))
    }

    /// Counts an enrolment.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check_enrolment(&self, address: IpAddr) -> Result<(), ApiError> {
        self.enrol_by_address.check(&network_of(address))
    }

    /// Counts a request for, or a use of, a link for a forgotten password.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check_password_reset(&self, address: IpAddr) -> Result<(), ApiError> {
        self.password_reset_by_address.check(&network_of(address))
    }

    /// Counts a download of the agent or of its script.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check_download(&self, address: IpAddr) -> Result<(), ApiError> {
        self.download_by_address.check(&network_of(address))
    }

    /// Forgets keys that have their whole allowance again; to be called every minute.
    pub fn forget_idle(&self) {
        self.sign_in_by_address.forget_idle();
        self.sign_in_by_user.forget_idle();
        self.enrol_by_address.forget_idle();
        self.password_reset_by_address.forget_idle();
        self.download_by_address.forget_idle();
    }
}

#[derive(Debug)]
struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    limiter: DefaultKeyedRateLimiter<K>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(name: &'static str, per_minute: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::with_period(Duration::from_secs(60) / per_minute.get())
            .unwrap_or(Quota::per_minute(per_minute))
            .allow_burst(burst);
        Self {
            name,
            limiter: RateLimiter::keyed(quota),
        }
    }

    fn check(&self, key: &K) -> Result<(), ApiError> {
        if self.limiter.len() > MAX_KEYS {
            self.forget_idle();
        }
        self.limiter.check_key(key).map_err(|refused| {
            metrics::counter!("sg_http_rate_limited_total", "limit" => self.name).increment(1);
            let wait = refused.wait_time_from(DefaultClock::default().now());
            ApiError::too_many_requests(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        })
    }

    fn forget_idle(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// An IPv6 client owns its whole /64 and could come from any address of it.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Verb, load};

    fn limits() -> RateLimits {
        RateLimits::new(&load(None, Verb::Other).unwrap().rate_limits)
    }

    #[test]
    fn one_user_from_one_address_is_limited_before_the_address_is() {
        let limits = limits();
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..10 {
            limits.check_sign_in(here, "Ada").unwrap();
        }
        assert_eq!(limits.check_sign_in(here, "ada").unwrap_err().status(), 429);
        limits.check_sign_in(here, "grace").unwrap();
        limits.check_sign_in("192.0.2.2".parse().unwrap(), "ada").unwrap();
    }

    #[test]
    fn one_address_is_limited_over_all_users() {
        let limits = limits();
        let refused = (0..50).filter(|n| {
            let address = format!("2001:db8::{n:x}").parse().unwrap();
            limits.check_sign_in(address, &format!("user{n}")).is_err()
        });
        assert_eq!(refused.count(), 20, "thirty of fifty from one /64");
    }
}
