/*
 * test/unit/tls_fixture.h: three pairs made by openssl for these tests alone, good for a hundred years; and files of them.
 *
 * rsa: both.example, rsa.example. ec: P-256; both.example, ec.example, *.wild.example. p384: no SAN, common name p384.example.
 */
#ifndef TEST_TLS_FIXTURE_H
#define TEST_TLS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config.h"

static const char fixture_rsa_crt[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIDNzCCAh+gAwIBAgIUHI9TwSadlyd9Dne/zVc2lXk2LQkwDQYJKoZIhvcNAQEL\n"
	"BQAwFzEVMBMGA1UEAwwMYm90aC5leGFtcGxlMCAXDTI2MTEyMTAzMTEyMFoYDzIx\n"
	"MjYxMDI4MDMxMTIwWjAXMRUwEwYDVQQDDAxib3RoLmV4YW1wbGUwggEiMA0GCSqG\n"
	"SIb3DQEBAQUAA4IBDwAwggEKAoIBAQDDrwVJ+2xMoj4A+Pv34LmXJ5XO37odQwwT\n"
	"6DEuQVUdu4hkgy4gPRqFoBL3/VqjAximvO5VYwcMPpeYhmdX9Wz8701728tvMsYW\n"
	"Ns8XWMSaDYkfPGalgi0Gm/WT3dgRuv5ktIie6/z64Y8nZFSZAvEtfctZdGtWsEKU\n"
	"3QQJSML86NjbszL9qvZyPzbAVnXXK4L43EJhSzD4TBb1ulGvC2JPWIG0+qtgvB5k\n"
	"c1sfBQ1KHm49waoOZkmQ+vDYr2+p//+F59NsHYdpA1K0lY3r09WmF/8ZeLLGTT5J\n"
	"aosuw6gnP7Z8zH1FoEVKIwA/5Mi76By28BRmqNIw3x5n1+zaJpiPAgMBAAGjeTB3\n"
	"MB0GA1UdDgQWBBSPRN7XSRUC1rvT+zvrLftavm2PIzAfBgNVHSMEGDAWgBSPRN7X\n"
	"SRUC1rvT+zvrLftavm2PIzAPBgNVHRMBAf8EBTADAQH/MCQGA1UdEQQdMBuCDGJv\n"
	"dGguZXhhbXBsZYILcnNhLmV4YW1wbGUwDQYJKoZIhvcNAQELBQADggEBAIktDlaV\n"
	"97af/seZtutg2q1ZkQSiBM95UdyFTrKURNqXscwFibtkKJLtfC9q9pYtO5n6shpJ\n"
	"zFlOytr0psY/ocylFdaHtarnC3tEIEIey1fNof8eX9IwZQfcHoj9jlOyWjYnfle1\n"
	"p9OZQ05PqCoTlHbFTu82t10s1mTsNGGfsE5ehFhQf+RZPRTHVX9yHwg28YMqAbNy\n"
	"wSvSie8noT6atZ+kmP3YiyEVzU/Oxw93oe3STJGnufdbnz2GWLDdQRA9v7IFtKfo\n"
	"5zjjQhBvHfES7vFTXvzqh6GVRr9Qp2jgn7K7T/1bTChiI821DuufI73T/6xk74wz\n"
	"PAaVYH/oMdjYFi8=\n"
	"-----END CERTIFICATE-----\n";

static const char fixture_rsa_key[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDDrwVJ+2xMoj4A\n"
	"+Pv34LmXJ5XO37odQwwT6DEuQVUdu4hkgy4gPRqFoBL3/VqjAximvO5VYwcMPpeY\n"
	"hmdX9Wz8701728tvMsYWNs8XWMSaDYkfPGalgi0Gm/WT3dgRuv5ktIie6/z64Y8n\n"
	"ZFSZAvEtfctZdGtWsEKU3QQJSML86NjbszL9qvZyPzbAVnXXK4L43EJhSzD4TBb1\n"
	"ulGvC2JPWIG0+qtgvB5kc1sfBQ1KHm49waoOZkmQ+vDYr2+p//+F59NsHYdpA1K0\n"
	"lY3r09WmF/8ZeLLGTT5Jaosuw6gnP7Z8zH1FoEVKIwA/5Mi76By28BRmqNIw3x5n\n"
	"1+zaJpiPAgMBAAECggEAEja0M1KnnepsAwMp0MSmAZ+5nevNEvQup5uxGDEUjxPp\n"
	"ehGLtYx6b32axmJakVm0bbCgLmptOYKJ8bRw4gsB/fj4KVMn+E2tilvHotCsW/pu\n"
	"jO2+UCFxt2/Ex+KaPew9yXnUTZaBkYh1HqGEDknr0OQojUb8xrDZQangukx/ebK4\n"
	"7hCJRTS0xb5q4nW3Et3lcjQVqUnwuZgROgt+Bkj4RhZwqjrM+JlfPI3EP4ljS1nS\n"
	"KufypNI9cVTVaqyX5BFHh5npIbc+AADSxgds/4VJJ9s/cYDQ2lGQphJLTpQvTm6s\n"
	"QPOKuC9Fn8362utMCsIXbm3ZINAu4JDoYD8+ABesAQKBgQDmJ3+84HehES0m30eY\n"
	"ZEm1zvr+DRcE8JM3NO5nRmfXOvj3z6/sOiOZ2RJ91DSCBs+Hgjoz+qrCbNf3Q1mm\n"
	"DwqaodrVf3wlfnorvem1I5Ok56KsOrTalAhGvQubjTV74X67h/CYMJNJpynHh4H4\n"
	"z0Tz3sNtV0SkaN2FP57gnyblDwKBgQDZqI55Zfj//72Y/b0MbXgy40+P+uoOrDNM\n"
	"x3sq9rK2Qu1FtnqfcuC1UD8W0QqB/8czFRUT1242lQROtqgafYhL12Zva1sOr1PS\n"
	"POqAsf8HZnpjoCOZSCij9wMNz5KgU/CK1frL6dMo//1OgWcNcivhenMtE116IVJN\n"
	"vEyYF9gUgQKBgQDAOgNNbKleBGuSyPASTsjlqb8miyZLwOckN/hal4pJUH768yL7\n"
	"CUAM0inIoIFOjIOuqU0VdupCQwhKA52PvYZcyoxsvvKgmjdN62uUF+fL1o+ei9Xb\n"
	"rcIP2vsj61fdZOQlmw+O/Rs3a//QH9SlS/BKQyc0Xqv9KXzDOvTmpOambwKBgFap\n"
	"hEDV1zSmsOjvbow6MfehBha/wt2gtrRFYMcUfsePEkYFiAFgjhPjJZuCE/r6ymeO\n"
	"Z1wFFL7qylJE693QSapY01Jdnl3UdT1qP7yKIo7hwK1WH5ZyYqwWN8MR+MGZalb9\n"
	"J+R07zyN4F+Xql5yLQKT7LPv1/I+vjRxWtXb+I8BAoGANrBVqplIbKSEx4K002lQ\n"
	"2wDgAie5Eq3LzUQqUp8zIFM5Rl5RdptLQh8y9JfnzlnQBntfw6PRpL69JzWPkKRx\n"
	"UD2Fskjyg3ftVpzlT/Vo6ez5cn1As7oyptFPIv2Rp/e4Pfy0uhyq7JPSJRVZJ8KM\n"
	"ULTbFIX+5SZZhwQUrUgkrfU=\n"
	"-----END PRIVATE KEY-----\n";

static const char fixture_ec_crt[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBwTCCAWigAwIBAgIUXal0rW7sd5uvYSm+flMB6tD7LqowCgYIKoZIzj0EAwIw\n"
	"FzEVMBMGA1UEAwwMYm90aC5leGFtcGxlMCAXDTI2MTEyMTAzMTEyMFoYDzIxMjYx\n"
	"MDI4MDMxMTIwWjAXMRUwEwYDVQQDDAxib3RoLmV4YW1wbGUwWTATBgcqhkjOPQIB\n"
	"BggqhkjOPQMBBwNCAAS9+Ik6iBsmIRGh2NtLj8441w6qM/bWrdnK7leKbKXr54qY\n"
	"FoZx/qYykyd1Pbe28ixpfC67lq4dAEe01MJVFNsao4GPMIGMMB0GA1UdDgQWBBSZ\n"
	"aFq8bhw5hW7iXf+CtUsqWR5taDAfBgNVHSMEGDAWgBSZaFq8bhw5hW7iXf+CtUsq\n"
	"WR5taDAPBgNVHRMBAf8EBTADAQH/MDkGA1UdEQQyMDCCDGJvdGguZXhhbXBsZYIK\n"
	"ZWMuZXhhbXBsZYIOKi53aWxkLmV4YW1wbGWHBH8AAAEwCgYIKoZIzj0EAwIDRwAw\n"
	"RAIgYtHgfnpQda3CpUm6XPYDZXtlGtsRjLmo04COye/7UYgCIDkdzM/Z97oImQlZ\n"
	"avjTA4rwZjKeWDwFIRO9Hs6NjVAt\n"
	"-----END CERTIFICATE-----\n";

static const char fixture_ec_key[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQAhZkdHntIT3sIp4\n"
	"EiKNwk4XnFWmitn2KIqyLoKednahRANCAAS9+Ik6iBsmIRGh2NtLj8441w6qM/bW\n"
	"rdnK7leKbKXr54qYFoZx/qYykyd1Pbe28ixpfC67lq4dAEe01MJVFNsa\n"
	"-----END PRIVATE KEY-----\n";

static const char fixture_p384_crt[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBwTCCAUigAwIBAgIUS65I1uVV/QYcIV2EOGOMiKG3TNowCgYIKoZIzj0EAwIw\n"
	"FzEVMBMGA1UEAwwMcDM4NC5leGFtcGxlMCAXDTI2MTEyMTAzMTEyMFoYDzIxMjYx\n"
	"MDI4MDMxMTIwWjAXMRUwEwYDVQQDDAxwMzg0LmV4YW1wbGUwdjAQBgcqhkjOPQIB\n"
	"BgUrgQQAIgNiAASFETpYuZe2xNV82Q2cXR5+WXY97C+egW1bWWrY/otWswys31Pv\n"
	"BE4mByRz16vx3RAsvP5x+VY4+QabezCQb+aHsGgzyYj4G/0w3tYTNx/mHryhxlXm\n"
	"cyCYTJgigLsOhVejUzBRMB0GA1UdDgQWBBR5cTBBfUEvcEmVM3XWbU/P4vKQ4zAf\n"
	"BgNVHSMEGDAWgBR5cTBBfUEvcEmVM3XWbU/P4vKQ4zAPBgNVHRMBAf8EBTADAQH/\n"
	"MAoGCCqGSM49BAMCA2cAMGQCMHm1HLT79xE7CeaMkKWHKJANRWMz1P3nTIjHmtzN\n"
	"dhY82d2ru+VOIK2vC+WVftAVngIwWiduQSRDlro97v9LvD7h5yEHBEA0Lrvsseep\n"
	"TGNU3LzsC6in7Pwr9uMdLS/tn8BL\n"
	"-----END CERTIFICATE-----\n";

static const char fixture_p384_key[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDceDl8tdsCRlD56ugx\n"
	"KGch4HyKnJ0A/K8cU0OXfV6AXXpKFBAPqqQzt3gaCYzTDHihZANiAASFETpYuZe2\n"
	"xNV82Q2cXR5+WXY97C+egW1bWWrY/otWswys31PvBE4mByRz16vx3RAsvP5x+VY4\n"
	"+QabezCQb+aHsGgzyYj4G/0w3tYTNx/mHryhxlXmcyCYTJgigLsOhVc=\n"
	"-----END PRIVATE KEY-----\n";

/* Paths of files in a directory of their own; removed by fixture_end(). */
struct fixture {
	char dir[32];
	char paths[6][64];
	struct tls_config cfg;
};

static void fixture_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

__attribute__((unused)) static void fixture_begin(struct fixture *x)
{
	static const char *const texts[] = { fixture_rsa_crt, fixture_rsa_key, fixture_ec_crt, fixture_ec_key, fixture_p384_crt,
		                             fixture_p384_key };

	memset(x, 0, sizeof(*x));
	strcpy(x->dir, "/tmp/tls_fixtureXXXXXX");
	if (mkdtemp(x->dir) == NULL)
		abort();
	for (int i = 0; i < 6; i++) {
		strcpy(x->paths[i], x->dir);
		strcat(x->paths[i], "/0.pem");
		x->paths[i][strlen(x->dir) + 1] = (char)('0' + i);
		fixture_write(x->paths[i], texts[i]);
	}
	for (int i = 0; i < 3; i++) {
		x->cfg.pairs[i].cert = str_of(x->paths[2 * i], strlen(x->paths[2 * i]));
		x->cfg.pairs[i].key = str_of(x->paths[2 * i + 1], strlen(x->paths[2 * i + 1]));
	}
	x->cfg.pair_count = 3;
}

__attribute__((unused)) static void fixture_end(struct fixture *x)
{
	for (int i = 0; i < 6; i++)
		unlink(x->paths[i]);
	rmdir(x->dir);
}

#endif
