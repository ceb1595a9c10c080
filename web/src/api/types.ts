/** The API's structures under short names; `schema.d.ts` is generated from the server's OpenAPI document. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type ApiKeyCreated = Schemas["ApiKeyCreated"];
export type ApiKeyView = Schemas["ApiKeyView"];
export type AuditChainView = Schemas["AuditChainView"];
export type AuditEventView = Schemas["AuditEventView"];
export type ChannelKind = ChannelSettings["kind"];
export type ChannelSaved = Schemas["ChannelSaved"];
export type ChannelSettings = Schemas["ChannelSettings"];
export type ChannelTarget = Schemas["ChannelTarget"];
export type ChannelView = Schemas["ChannelView"];
export type CurrentSession = Schemas["CurrentSession"];
export type DeliveryAttempt = Schemas["DeliveryAttempt"];
export type DetectionEngine = Schemas["DetectionEngine"];
export type EndpointEventView = Schemas["EndpointEventView"];
export type EndpointView = Schemas["EndpointView"];
export type ExceptedFinding = Schemas["ExceptedFinding"];
export type ExceptionCondition = Schemas["ExceptionCondition"];
export type ExceptionField = Schemas["ExceptionField"];
export type ExceptionPreview = Schemas["ExceptionPreview"];
export type ExceptionScope = Schemas["ExceptionScope"];
export type ExceptionView = Schemas["ExceptionView"];
export type FactorAdded = Schemas["FactorAdded"];
export type FactorOverview = Schemas["FactorOverview"];
export type FactorView = Schemas["FactorView"];
export type FieldError = Schemas["FieldError"];
export type FindingView = Schemas["FindingView"];
export type IncidentDetail = Schemas["IncidentDetail"];
export type IncidentStatus = Schemas["IncidentStatus"];
export type IncidentView = Schemas["IncidentView"];
export type KeyScope = Schemas["KeyScope"];
export type LiveEvent = Schemas["LiveEvent"];
export type MembershipView = Schemas["MembershipView"];
export type MetricPoint = Schemas["MetricPoint"];
export type MetricSeries = Schemas["MetricSeries"];
export type NotificationView = Schemas["NotificationView"];
export type Overview = Schemas["Overview"];
export type PasswordPolicyView = Schemas["PasswordPolicyView"];
export type PasskeyAssertion = Schemas["PasskeyAssertion"];
export type PasskeyCreation = Schemas["PasskeyCreation"];
export type PasskeyRegistration = Schemas["PasskeyRegistration"];
export type PasskeyRequest = Schemas["PasskeyRequest"];
export type Permission = Schemas["Permission"];
export type Problem = Schemas["Problem"];
export type ProviderTest = Schemas["ProviderTest"];
export type ProviderView = Schemas["ProviderView"];
export type PublicationView = Schemas["PublicationView"];
export type RoleView = Schemas["RoleView"];
export type RouteView = Schemas["RouteView"];
export type RowChange = Schemas["RowChange"];
export type RuleView = Schemas["RuleView"];
export type SessionView = Schemas["SessionView"];
export type Severity = Schemas["Severity"];
export type SaveProvider = Schemas["SaveProvider"];
export type SilenceView = Schemas["SilenceView"];
export type SignInChallenge = Schemas["SignInChallenge"];
export type SignInProvider = Schemas["SignInProvider"];
export type SyncView = Schemas["SyncView"];
export type TelemetrySource = Schemas["TelemetrySource"];
export type TenantRef = Schemas["TenantRef"];
export type TenantView = Schemas["TenantView"];
export type TimelineEntry = Schemas["TimelineEntry"];
export type UpdateIncident = Schemas["UpdateIncident"];
export type UpdatePasswordPolicy = Schemas["UpdatePasswordPolicy"];
export type TotpEnrolment = Schemas["TotpEnrolment"];
export type UserCreated = Schemas["UserCreated"];
export type UserView = Schemas["UserView"];
export type Verification = Schemas["Verification"];
export type VerificationOptions = Schemas["VerificationOptions"];

/** One page of a list; `next_cursor` is null or absent on the last. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}
