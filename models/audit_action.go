package models

import "strings"

// Action is what an audit entry records. The audit page offers the actions in this order.
type Action int

// The actions. The zero value is invalid: the database refuses an entry without an action.
const (
	ActionCreditsGrant Action = iota + 1
	ActionCreditsCorrect
	ActionPurchaseRefund
	ActionPurchaseMove
	ActionPurchaseCheck
	ActionPurchaseBook
	ActionPurchaseForeign
	ActionPurchaseShare
	ActionEventRetry
	ActionEventForeign
	ActionEventClose
	ActionFindingClose
	ActionReconcileStart
	ActionWithdrawalClose
	ActionWithdrawalRefund
	ActionWithdrawalReopen
	ActionFeatureAdd
	ActionFeatureChange
	ActionKeyCreate
	ActionKeyRevoke
	ActionWebhookAdd
	ActionWebhookRotate
	ActionWebhookDisable
	ActionWebhookEnable
	ActionWebhookRemove
	ActionWebhookTest
	ActionWebhookReplay
	ActionLetterRetry
	ActionLetterClose
	ActionLetterSettings
	ActionIdentityLink
	ActionIdentityUnlink
	ActionIdentityRelink
	ActionSessionEnd
	ActionAccountClaim
	ActionAccountDelete
	ActionResumesDelete
	ActionResumesRetry
	ActionResumesClose
	ActionAdminRefused
	ActionAdminMove
	ActionAdminRelease
	ActionAdminDeny
	actionsEnd
)

// actionNames are the names in the log.
var actionNames = [actionsEnd]string{
	ActionCreditsGrant:     "credits.grant",
	ActionCreditsCorrect:   "credits.correct",
	ActionPurchaseRefund:   "purchase.refund",
	ActionPurchaseMove:     "purchase.move",
	ActionPurchaseCheck:    "purchase.check",
	ActionPurchaseBook:     "purchase.book",
	ActionPurchaseForeign:  "purchase.foreign",
	ActionPurchaseShare:    "purchase.share",
	ActionEventRetry:       "event.retry",
	ActionEventForeign:     "event.foreign",
	ActionEventClose:       "event.close",
	ActionFindingClose:     "finding.close",
	ActionReconcileStart:   "reconcile.start",
	ActionWithdrawalClose:  "withdrawal.close",
	ActionWithdrawalRefund: "withdrawal.refund",
	ActionWithdrawalReopen: "withdrawal.reopen",
	ActionFeatureAdd:       "feature.add",
	ActionFeatureChange:    "feature.change",
	ActionKeyCreate:        "key.create",
	ActionKeyRevoke:        "key.revoke",
	ActionWebhookAdd:       "webhook.add",
	ActionWebhookRotate:    "webhook.rotate",
	ActionWebhookDisable:   "webhook.disable",
	ActionWebhookEnable:    "webhook.enable",
	ActionWebhookRemove:    "webhook.remove",
	ActionWebhookTest:      "webhook.test",
	ActionWebhookReplay:    "webhook.replay",
	ActionLetterRetry:      "letter.retry",
	ActionLetterClose:      "letter.close",
	ActionLetterSettings:   "letter.settings",
	ActionIdentityLink:     "identity.link",
	ActionIdentityUnlink:   "identity.unlink",
	ActionIdentityRelink:   "identity.relink",
	ActionSessionEnd:       "session.end",
	ActionAccountClaim:     "account.claim",
	ActionAccountDelete:    "account.delete",
	ActionResumesDelete:    "resumes.delete",
	ActionResumesRetry:     "resumes.retry",
	ActionResumesClose:     "resumes.close",
	ActionAdminRefused:     "admin.refused",
	ActionAdminMove:        "admin.move",
	ActionAdminRelease:     "admin.release",
	ActionAdminDeny:        "admin.deny",
}

// Actions lists the names of all actions.
func Actions() []string { return actionNames[ActionCreditsGrant:] }

// String returns the action's name in the log.
func (a Action) String() string { return actionNames[a] }

// ActionKey returns the locale key of an action, by its name in the log.
func ActionKey(name string) string {
	return "admin_audit.actions." + strings.ReplaceAll(name, ".", "_")
}
