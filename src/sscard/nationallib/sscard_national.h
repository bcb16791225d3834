/* The national reader interface (LD/T 33) of sscard, for C.
 *
 * Every function returns 0, or a negative code; pOutInfo then says what it means. Text goes in and
 * comes out in GBK (GB18030 where GBK ends), zero-terminated. pOutInfo has room for
 * SSCARD_NATIONAL_OUT_MAX bytes. An HSM flow is the calls of its steps with no other in between.
 *
 * Which card, PSAM and PIN: environment variables SSCARD_NATIONAL_CARD, _PSAM, _PIN, .., or a file
 * named by SSCARD_NATIONAL_CONFIG. See docs/national-reader.md.
 */
#ifndef SSCARD_NATIONAL_H
#define SSCARD_NATIONAL_H

#ifdef __cplusplus
extern "C" {
#endif

#define SSCARD_NATIONAL_OUT_MAX 32768

/* iType: 1 contact, 2 contactless, 3 automatic (contact first), 4 automatic (contactless first).
 * iAuthType: 1 the holder's PIN, 2 the key of the PSAM.
 * pCardInfo: card identification code|card number| */

long iReadCardBas(int iType, char *pOutInfo);
long iReadCardBas_HSM_Step1(int iType, char *pOutInfo);
long iReadCardBas_HSM_Step2(char *pKey, char *pOutInfo);

long iReadCard(int iType, int iAuthType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
long iReadCard_HSM_Step1(int iType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
long iReadCard_HSM_Step2(char *pKey, char *pOutInfo);

long iWriteCard(int iType, char *pCardInfo, char *pFileAddr, char *pWriteData, char *pOutInfo);
long iWriteCard_HSM_Step1(int iType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
long iWriteCard_HSM_Step2(char *pKey, char *pWriteData, char *pOutInfo);

long iVerifyPIN(int iType, char *pOutInfo);
long iChangePIN(int iType, char *pOutInfo);

long iReloadPIN(int iType, char *pCardInfo, char *pOutInfo);
long iReloadPIN_HSM_Step1(int iType, char *pCardInfo, char *pOutInfo);
long iReloadPIN_HSM_Step2(char *pKey, char *pOutInfo);
long iReloadPIN_HSM_Step3(char *pKey, char *pOutInfo);

long iUnblockPIN(int iType, char *pCardInfo, char *pOutInfo);
long iUnblockPIN_HSM_Step1(int iType, char *pCardInfo, char *pOutInfo);
long iUnblockPIN_HSM_Step2(char *pKey, char *pOutInfo);
long iUnblockPIN_HSM_Step3(char *pKey, char *pOutInfo);

long iDoDebit(int iType, char *pCardInfo, char *pPayInfo, char *pOutInfo);
long iDoDebit_HSM_Step1(int iType, char *pCardInfo, char *pPayInfo, char *pOutInfo);
long iDoDebit_HSM_Step2(char *pKey, char *pOutInfo);

long iReadDebitRecord(int iType, char *pOutInfo);

/* End a flow that was begun and the process that serves this library; the next call starts
 * another. Done at exit, too. */
void sscard_national_close(void);

#ifdef __cplusplus
}
#endif

#endif
