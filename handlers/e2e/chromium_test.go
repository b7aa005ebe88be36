package e2e

import (
	"context"
	"os"
	"slices"
	"sync"

	cdbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// chromium is the browser process that all tests share. Each test gets its own browser context with its own cookies and
// cache, because a context opens in 20 ms and a process in half a second.
type chromium struct {
	once sync.Once
	ctx  context.Context
	stop context.CancelFunc
	err  error
}

var sharedChromium chromium

// chromiumFlags let the browser run as root and in a container, without network services of its own or GPU rendering.
var chromiumFlags = append(chromedp.DefaultExecAllocatorOptions[:],
	chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
	chromedp.Flag("disable-background-networking", true),
	chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	chromedp.Flag("disable-dev-shm-usage", true),
	chromedp.Flag("disable-software-rasterizer", true), chromedp.Flag("disable-smooth-scrolling", true))

// debianHeadlessShell is the program of Debian's package chromium-headless-shell, which chromedp does not look for. It
// renders like Chromium with half the processes. The script of the same name in PATH survives when it is killed.
const debianHeadlessShell = "/usr/lib/chromium/chromium-headless-shell"

// start returns the shared process. The first call starts it.
func (c *chromium) start() (context.Context, error) {
	c.once.Do(func() {
		options := chromiumFlags
		if _, err := os.Stat(debianHeadlessShell); err == nil {
			options = append(slices.Clip(options), chromedp.ExecPath(debianHeadlessShell))
		}
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, cancel := chromedp.NewContext(allocator, ignoreUnknownEvents)
		c.ctx, c.stop = ctx, func() { cancel(); stop() }
		c.err = chromedp.Run(ctx)
	})
	return c.ctx, c.err
}

// close ends the process.
func (c *chromium) close() {
	if c.stop != nil {
		c.stop()
	}
}

// ignoreUnknownEvents hides chromedp's errors about protocol events newer than itself.
var ignoreUnknownEvents = chromedp.WithErrorf(func(string, ...any) {})

// open opens a tab in its own browser context. The returned function closes both.
func (c *chromium) open(v view) (context.Context, context.CancelFunc, error) {
	parent, err := c.start()
	if err != nil {
		return nil, nil, err
	}
	browser := cdp.WithExecutor(parent, chromedp.FromContext(parent).Browser)
	id, err := target.CreateBrowserContext().Do(browser)
	if err != nil {
		return nil, nil, err
	}
	// as a browser with a window grants it to the tab in front
	clipboard := []cdbrowser.PermissionType{cdbrowser.PermissionTypeClipboardSanitizedWrite}
	if err := cdbrowser.GrantPermissions(clipboard).WithBrowserContextID(id).Do(browser); err != nil {
		return nil, nil, err
	}
	// the new context has no window yet
	tab, err := target.CreateTarget("about:blank").WithBrowserContextID(id).WithNewWindow(true).Do(browser)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithTargetID(tab))
	stop := func() {
		cancel()
		_ = target.DisposeBrowserContext(id).Do(browser) // fails if the process has ended
	}
	var agent string
	err = chromedp.Run(ctx,
		emulation.SetFocusEmulationEnabled(true), // every concurrent tab must behave as if focused
		emulation.SetLocaleOverride().WithLocale(v.locale),
		chromedp.Evaluate(`navigator.userAgent`, &agent),
		chromedp.ActionFunc(func(ctx context.Context) error {
			return emulation.SetUserAgentOverride(agent).WithAcceptLanguage(v.locale).Do(ctx)
		}),
		chromedp.EmulateViewport(int64(v.width), int64(v.height)))
	if err != nil {
		stop()
		return nil, nil, err
	}
	return ctx, stop, nil
}
