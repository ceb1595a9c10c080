//! Where people are told of incidents and alerts. With `installation`, where those who run it are told of its alerts.

use reqwest::Method;
use sg_types::{
    ChannelId,
    api::{
        Page,
        notifications::{
            ChannelSaved, ChannelView, CreateChannel, CreateSilence, DeliveryAttempt, NotificationView,
            RouteView, SaveRoute, SilenceView, TestSample, UpdateChannel,
        },
    },
};

use crate::maintenance::of;
use crate::{Client, ClientError};

const NOTHING: Option<&()> = None;

impl Client {
    /// The tenant's channels by name.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_channels(&self, installation: bool) -> Result<Vec<ChannelView>, ClientError> {
        let page: Page<ChannelView> = self
            .call(Method::GET, "monitoring/channels", &of(installation), NOTHING)
            .await?;
        Ok(page.items)
    }

    /// Makes a channel; the answer has a webhook's signing secret.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_channel(
        &self,
        channel: &CreateChannel,
        installation: bool,
    ) -> Result<ChannelSaved, ClientError> {
        let query = of(installation);
        self.call(Method::POST, "monitoring/channels", &query, Some(channel))
            .await
    }

    /// Changes a channel.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn update_channel(
        &self,
        id: ChannelId,
        change: &UpdateChannel,
        installation: bool,
    ) -> Result<ChannelSaved, ClientError> {
        let path = format!("monitoring/channels/{id}");
        self.call(Method::PATCH, &path, &of(installation), Some(change))
            .await
    }

    /// Removes a channel with its routes and its log.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_channel(&self, id: ChannelId, installation: bool) -> Result<(), ClientError> {
        let path = format!("monitoring/channels/{id}");
        self.send(Method::DELETE, &path, &of(installation), NOTHING)
            .await
            .map(drop)
    }

    /// Sends a test message; what became of it.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn test_channel(
        &self,
        id: ChannelId,
        sample: TestSample,
        installation: bool,
    ) -> Result<DeliveryAttempt, ClientError> {
        let path = format!("monitoring/channels/{id}/test");
        let mut query = of(installation);
        query.push(("sample", sample.to_string()));
        self.call(Method::POST, &path, &query, NOTHING).await
    }

    /// What goes where, by name.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_routes(&self, installation: bool) -> Result<Vec<RouteView>, ClientError> {
        let query = of(installation);
        let page: Page<RouteView> = self
            .call(Method::GET, "monitoring/routes", &query, NOTHING)
            .await?;
        Ok(page.items)
    }

    /// Makes a route.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_route(
        &self,
        route: &SaveRoute,
        installation: bool,
    ) -> Result<RouteView, ClientError> {
        self.call(Method::POST, "monitoring/routes", &of(installation), Some(route))
            .await
    }

    /// Up to `limit` silences, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_silences(
        &self,
        installation: bool,
        limit: usize,
    ) -> Result<Vec<SilenceView>, ClientError> {
        self.list("monitoring/silences", of(installation), limit).await
    }

    /// Mutes something for a while.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_silence(
        &self,
        silence: &CreateSilence,
        installation: bool,
    ) -> Result<SilenceView, ClientError> {
        let query = of(installation);
        self.call(Method::POST, "monitoring/silences", &query, Some(silence))
            .await
    }

    /// Up to `limit` notifications, the newest first; with `waiting` those that wait to be sent.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_notifications(
        &self,
        waiting: bool,
        installation: bool,
        limit: usize,
    ) -> Result<Vec<NotificationView>, ClientError> {
        let mut query = of(installation);
        if waiting {
            query.push(("waiting", "true".to_owned()));
        }
        self.list("monitoring/notifications", query, limit).await
    }
}
