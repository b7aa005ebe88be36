package handlers

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/components"
)

// checkoutRequest names a price and a quantity, never an amount.
type checkoutRequest struct {
	_        struct{} `additionalProperties:"true"`
	PriceID  string   `json:"priceId" maxLength:"255" doc:"The Stripe price of the package, as listed by GET /api/packages."`
	Quantity quantity `json:"quantity" doc:"How many of the package."`
	Locale   language `json:"locale,omitempty" doc:"Language of the Checkout page; the user's if omitted."`

	ReturnURL string   `json:"returnUrl,omitempty" maxLength:"500" doc:"Where the user continues after the payment: an address of this server, of Resume Matcher or of a site in RETURN_ORIGINS."`
	Consent   *consent `json:"consent,omitempty" doc:"What the user has declared about the withdrawal period; nothing if omitted."`
}

// consent is what the user has declared, beside texts that the program has shown.
type consent struct {
	Version      string `json:"version" maxLength:"20" doc:"The version of the texts, as the purchase page posts it."`
	EarlyStart   bool   `json:"earlyStart,omitempty" doc:"The user expressly asks to use the credits before the withdrawal period ends."`
	Compensation bool   `json:"compensation,omitempty" doc:"The user acknowledges that used credits must be paid for after a withdrawal, and when the right of withdrawal ends."`
}

// quantity is a number of packages.
type quantity int64

// Schema documents the limit of a purchase.
func (quantity) Schema(huma.Registry) *huma.Schema {
	least, most := 1.0, float64(catalog.MaxQuantity)
	return &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &least, Maximum: &most}
}

// language is a locale of the product.
type language string

// Schema lists the locales.
func (language) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, code := range components.Languages() {
		s.Enum = append(s.Enum, code)
	}
	return s
}

type checkoutInput struct {
	Key  string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"1 to 255 characters of your choice. The same key and request are the same purchase, however often they are sent; without a key, each request starts a new one."`
	Body checkoutRequest
}

// checkout is a purchase that awaits payment.
type checkout struct {
	CheckoutURL string `json:"checkoutUrl" format:"uri" doc:"Stripe's page on which the user pays. Send their browser there."`
	PurchaseID  string `json:"purchaseId" format:"uuid" doc:"The ID of the purchase. Its page is at /{locale}/purchase/{purchaseId}."`
}

type checkoutOutput struct{ Body checkout }

var checkoutCall = call{
	Operation: huma.Operation{
		OperationID: "createCheckout", Tags: []string{tagBuying}, DefaultStatus: fiber.StatusCreated,
		Summary: "Start a purchase",
		Description: "Opens a Stripe Checkout page for one package of credits and the signed-in user. Price and credits come from our own list: " +
			"any other field is ignored. The credits are added when Stripe reports the payment.",
	},
	access:  access{session: true, limit: limit.Checkout},
	samples: checkoutSamples,
}

// createCheckout is POST /api/checkout.
func (h *Handler) createCheckout(c *fiber.Ctx, in *checkoutInput) (*checkoutOutput, error) {
	if in.Body.Locale == "" {
		h.ensureLocale(c)
		in.Body.Locale = language(pageLocale(c))
	}
	if in.Key == "" {
		in.Key = randomKey()
	}
	back, err := h.returnURL(in.Body.ReturnURL)
	if err != nil {
		return nil, err
	}
	declares, err := h.declaredBy(c, in.Body)
	if err != nil {
		return nil, err
	}
	started, err := h.Purchase.Start(c.UserContext(), purchase.Order{
		UserID: currentUserID(c), PriceID: in.Body.PriceID, Quantity: int64(in.Body.Quantity), Locale: string(in.Body.Locale),
		Key: in.Key, ReturnURL: back, Consent: declares,
	})
	if err != nil {
		return nil, err
	}
	return &checkoutOutput{checkout{started.URL, started.PurchaseID.String()}}, nil
}

// declaredBy returns the statements of a request, in the language of its order.
//
// Errors: fault.Invalid for an unknown language or another version of the texts.
func (h *Handler) declaredBy(c *fiber.Ctx, body checkoutRequest) (*models.Consent, error) {
	if body.Consent == nil {
		return nil, nil
	}
	in, ok := h.Site.Texts.Context(c.UserContext(), string(body.Locale))
	if !ok {
		return nil, fault.Field("locale", fault.LocaleUnknown)
	}
	made, err := h.consent(in, declared{body.Consent.EarlyStart, body.Consent.Compensation, body.Consent.Version})
	if err != nil {
		return nil, fault.Field("consent.version", fault.ConsentChanged)
	}
	return made, nil
}
