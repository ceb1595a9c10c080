//! Who calls, and whether they may.

mod acting;
mod can;
mod cookie;
mod credential;
mod device;
mod key_usage;
mod recent;

pub(crate) use acting::authenticate;
pub use acting::{Acting, AnyCaller, AnySession};
pub use can::{
    AlertsManage, AlertsRead, ApiKeysManage, ApiKeysOwn, AuditRead, Can, ChannelsManage, CommandsApprove,
    CommandsRead, CommandsRequest, EndpointsManage, EndpointsRead, EventsSend, ExceptionsManage, HoldsManage,
    IncidentsRead, IncidentsWork, Needs, PoliciesManage, ProvidersManage, RulesManage, RulesRead,
    SilencesManage, TenantExport, TenantsManage, UsersManage, UsersRead,
};
pub use cookie::{clear_session_cookie, session_cookie};
pub use credential::{Credential, bearer, find_credential};
pub use device::{device_cookie, find_device, is_browser};
pub use key_usage::KeyUsage;
pub use recent::Recent;
