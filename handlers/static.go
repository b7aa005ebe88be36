package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/static"
)

// robots tells search engines which pages are for people: the landing page, prices and sign-in. All others need a
// session. Without this file a crawler would be sent to Resume Matcher's.
const robots = "User-agent: *\nDisallow: /api/\nDisallow: /auth/\n"

// showRobots is GET /robots.txt.
func showRobots(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "public, max-age=86400")
	return c.SendString(robots)
}

// showStatic serves our own files. A file's name changes with its content, so browsers may keep it forever.
func showStatic(c *fiber.Ctx) error {
	return sendFile(c, c.Path(), "public, max-age=31536000, immutable")
}

func sendFile(c *fiber.Ctx, path, caching string) error {
	file, ok := static.Open(path)
	if !ok {
		return fault.New(fault.NotFound, nil)
	}
	c.Set(fiber.HeaderCacheControl, caching)
	c.Set(fiber.HeaderContentType, file.ContentType)
	c.Set(fiber.HeaderETag, file.ETag)
	c.Vary(fiber.HeaderAcceptEncoding)
	if c.Get(fiber.HeaderIfNoneMatch) == file.ETag {
		return c.SendStatus(fiber.StatusNotModified)
	}
	if len(file.Gzip) > 0 && acceptsGzip(c) {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(file.Gzip)
	}
	return c.Send(file.Body)
}
