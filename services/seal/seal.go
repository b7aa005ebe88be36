// Package seal encrypts and authenticates texts that leave the server, such as cookies, and computes keyed hashes. It
// takes a list of secrets, so that a secret can be rotated while texts sealed with the old one stay valid.
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

// Secrets lists the secrets, the current one first. The first one seals and hashes; all open and verify.
type Secrets [][]byte

// Seal encrypts plain for one purpose. The result is safe in a cookie.
func (s Secrets) Seal(purpose string, plain []byte) string {
	aead := newAEAD(s[0], purpose)
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // never returns an error
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, nil))
}

// Open decrypts a text that any of the secrets sealed for this purpose, or reports false.
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

// newAEAD returns AES-256-GCM with a separate key per purpose. Random nonces are safe for 2^32 texts per key.
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

// Sum returns the HMAC of text under the current secret.
func (s Secrets) Sum(text string) []byte { return sum(s[0], text) }

// Sums returns the HMACs of text under all secrets, the current one first.
func (s Secrets) Sums(text string) [][]byte {
	all := make([][]byte, len(s))
	for i, secret := range s {
		all[i] = sum(secret, text)
	}
	return all
}

// Verify reports in constant time whether mac is the HMAC of text under one of the secrets.
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
