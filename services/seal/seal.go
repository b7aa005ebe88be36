// Package seal keeps what travels through somebody else's hands: it seals texts so that nobody else reads or changes
// them, and makes keyed hashes. It works with a list of secrets, so that a secret can be replaced while what was made
// with the old one stays good.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
)

// Secrets are the product's secrets, the current one first. The first one seals and hashes; each one opens and verifies.
type Secrets [][]byte

// Seal encrypts plain for one purpose. The result is good in a cookie.
func (s Secrets) Seal(purpose string, plain []byte) string {
	aead := newAEAD(s[0], purpose)
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // never fails: the program would have ended
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, nil))
}

// Open returns what was sealed for this purpose, with any of the secrets. It reports false for everything else.
func (s Secrets) Open(purpose, sealed string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, false
	}
	for _, secret := range s {
		aead := newAEAD(secret, purpose)
		if len(raw) < aead.NonceSize() {
			return nil, false
		}
		if plain, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], nil); err == nil {
			return plain, true
		}
	}
	return nil, false
}

// newAEAD is AES-256-GCM with a key of its own for each purpose. Its random nonces are good for 2^32 texts a secret.
func newAEAD(secret []byte, purpose string) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, secret, nil, "resume-matcher-credits seal "+purpose, 32)
	if err != nil {
		panic(fmt.Sprintf("seal: derive a key: %v", err)) // only for a key longer than 8160 bytes
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("seal: %v", err)) // only for a key of another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(fmt.Sprintf("seal: %v", err)) // only for another block size
	}
	return aead
}

// Sum is the text's hash under the current secret.
func (s Secrets) Sum(text string) []byte { return sum(s[0], text) }

// Sums are the text's hashes under each secret, the current one first.
func (s Secrets) Sums(text string) [][]byte {
	all := make([][]byte, len(s))
	for i, secret := range s {
		all[i] = sum(secret, text)
	}
	return all
}

// Verify reports whether mac is the text's hash under one of the secrets, without telling how much of it was right.
func (s Secrets) Verify(text string, mac []byte) bool {
	good := 0
	for _, secret := range s {
		good |= subtle.ConstantTimeCompare(sum(secret, text), mac)
	}
	return good == 1
}

func sum(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
