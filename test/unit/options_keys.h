/* test/unit/options_keys.h: files of keys, made by openssl. Nobody has the private halves any more. */
#ifndef TEST_OPTIONS_KEYS_H
#define TEST_OPTIONS_KEYS_H

#define KEYS_RSA_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArcnkKC/ebRRAaJGKzmfh\n" \
	"rImMq3mFit6/y1ks3BE1GIbDWOz/10iMIqozCDJEYukkPhe+ZZn3N+oj66iNSYEw\n" \
	"plWPzlSSD/nqW3Q1cEUGOGPABTzfQ4oyDjlMdgYoQWAvJkyms+hCG3Fr2s3M+8MT\n" \
	"p8NJiDtZBGGElnbwDzg3k6DqfH9FQZ6gOfbaxEREIcF8vF5J059Q8G+JmLWXCF04\n" \
	"U8tY/fBNjwfo4qGfGvZao7W7kyLKDwf1Y1xINSVVkn4neKN29G/2/Q944xFn/GYU\n" \
	"AC4JBPtbQmWQDv24lLw3TKWIyhz6ZSLa2FGfJPszxAjvg5n0OOWGQOcMtJh1hwqO\n" \
	"/QIDAQAB\n" \
	"-----END PUBLIC KEY-----\n"

#define KEYS_EC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEi4I5wG7clOTiH9xTRLnJFsxkvIc3\n" \
	"cs06P1y49aE2dc6uV882WbRyWuxKrExr9e6O+9ZTBUD4blSR/29Zc1LRjg==\n" \
	"-----END PUBLIC KEY-----\n"

/* RSA of 1024 bits. */
#define KEYS_WEAK_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC6FBu+Ib+MTFJCaFCGGZ+NMaTS\n" \
	"aPPe84RUTp5JVONUyghHLAWhMDum4Cuau18yzcrZFRRLPhymHUaH+tU4Z4Z3M79E\n" \
	"2LxrCN9JFEXh4A3kHvtJeBzfrn/HjKa9FQYVeQn0QSvPBrqtfHzpbouCa1LMg9Az\n" \
	"67DzxGM4qkjQtoFtxQIDAQAB\n" \
	"-----END PUBLIC KEY-----\n"

/* The two above, and one for encryption, which is passed over. */
#define KEYS_JWKS \
	"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r 1\",\"n\":\"rcnkKC_ebRRAaJGKzmfhrImMq3mFit6_y1ks3BE1GIbDWOz_" \
	"10iMIqozCDJEYukkPhe-ZZn3N-oj66iNSYEwplWPzlSSD_nqW3Q1cEUGOGPABTzfQ4oyDjlMdgYoQWAvJkyms-hCG3Fr2s3M-8MT" \
	"p8NJiDtZBGGElnbwDzg3k6DqfH9FQZ6gOfbaxEREIcF8vF5J059Q8G-JmLWXCF04U8tY_fBNjwfo4qGfGvZao7W7kyLKDwf1Y1xI" \
	"NSVVkn4neKN29G_2_Q944xFn_GYUAC4JBPtbQmWQDv24lLw3TKWIyhz6ZSLa2FGfJPszxAjvg5n0OOWGQOcMtJh1hwqO_Q\",\"e" \
	"\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e#\\u009b\",\"use\":\"sig\",\"x\":\"i4I5wG7" \
	"clOTiH9xTRLnJFsxkvIc3cs06P1y49aE2dc4\",\"y\":\"rlfPNlm0clrsSqxMa_XujvvWUwVA-G5Ukf9vWXNS0Y4\"},{\"kty" \
	"\":\"RSA\",\"kid\":\"enc\",\"use\":\"enc\",\"n\":\"AAAA\",\"e\":\"AQAB\"}]}"

/* A set without a key that can be used. */
#define KEYS_JWKS_NONE \
	"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"enc\",\"use\":\"enc\",\"n\":\"AAAA\",\"e\":\"AQAB\"}]}"

#endif
