//! Many endpoints at once are one alert.

use super::*;

#[tokio::test]
async fn a_mass_outage_is_one_alert_and_what_is_left_of_it_single_ones() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 20).await;
    // They check in at different moments, as real ones do, so that their deadlines are spread over an interval.
    for part in 0..3 {
        for agent in agents.iter_mut().skip(part).step_by(3) {
            agent.send(&server, &[]).await;
        }
        pass(&server, 10).await;
    }
    let (gone, here) = agents.split_at_mut(8);
    pass_with(&server, 90, here).await;
    let firing = alerts(&server, &admin, "firing").await;
    assert_eq!(firing.len(), 1, "{firing:?}");
    assert_eq!(
        (
            firing[0].agent_id,
            firing[0].subject.as_str(),
            firing[0].last_value
        ),
        (None, "", 8.0)
    );
    let summary = firing[0].summary.as_deref().unwrap();
    assert!(
        summary.starts_with("8 of 20 endpoints have not checked in, among them m-"),
        "{summary}"
    );
    assert!(
        alerts(&server, &admin, "resolved").await.is_empty(),
        "nobody was told of single ones first"
    );
    let other = server.tenant("other").await;
    let stranger = server.caller(other, Role::Admin).await;
    assert!(alerts(&server, &stranger, "firing").await.is_empty());

    // Six come back; the two that do not are told of one by one.
    for agent in &mut gone[2..] {
        agent.send(&server, &[]).await;
    }
    pass_with(&server, 20, here).await;
    for agent in &mut gone[2..] {
        agent.send(&server, &[]).await;
    }
    let firing = alerts(&server, &admin, "firing").await;
    assert_eq!(firing.iter().filter(|alert| alert.agent_id.is_some()).count(), 2);
    assert_eq!(firing.len(), 2);
    assert_eq!(alerts(&server, &admin, "resolved").await.len(), 1);
    for agent in &mut gone[..2] {
        agent.send(&server, &[]).await;
    }
    assert!(alerts(&server, &admin, "firing").await.is_empty());
}

#[tokio::test]
async fn single_alerts_that_turn_out_to_be_an_outage_become_part_of_it() {
    let (server, admin) = start().await;
    let mut agents = enrol(&server, &admin, 12).await;
    for wave in 1..=3 {
        pass_with(&server, 70, &mut agents[2 * wave..]).await;
    }
    let firing = alerts(&server, &admin, "firing").await;
    assert_eq!(firing.len(), 1, "{firing:?}");
    assert_eq!(firing[0].last_value, 6.0);
    assert_eq!(alerts(&server, &admin, "resolved").await.len(), 4);
    // One that joins an outage under way adds to it.
    pass_with(&server, 70, &mut agents[7..]).await;
    let firing = alerts(&server, &admin, "firing").await;
    assert_eq!((firing.len(), firing[0].last_value), (1, 7.0));
}

#[tokio::test]
async fn an_outage_over_tenants_is_told_to_the_installation_without_names() {
    let (server, admin) = start().await;
    let other = server.tenant("other").await;
    let stranger = server.caller(other, Role::Admin).await;
    let mut kept = enrol(&server, &admin, 3).await;
    let mut gone = enrol(&server, &stranger, 4).await;
    gone.extend(kept.drain(1..));
    pass_with(&server, 80, &mut kept).await;
    let all = "select count(*) from monitoring.alerts where state = 'firing'";
    let of_installation: Option<String> = sqlx::query_scalar(
        "select a.summary from monitoring.alerts a where a.tenant_id = '00000000-0000-0000-0000-000000000000' and a.state = 'firing'
            and a.subject = 'installation'",
    )
    .fetch_optional(&mut server.test_db.connect("postgres").await.unwrap())
    .await
    .unwrap();
    assert_eq!(
        of_installation.as_deref(),
        Some("6 endpoints of 2 tenants have not checked in: is this server reached from outside?")
    );
    assert_eq!(alerts(&server, &stranger, "firing").await.len(), 4);
    assert_eq!(alerts(&server, &admin, "firing").await.len(), 2);
    assert_eq!(server.count(all).await, 7);
    for agent in &mut gone {
        agent.send(&server, &[]).await;
    }
    pass_with(&server, 10, &mut kept).await;
    assert_eq!(server.count(all).await, 0);
}
