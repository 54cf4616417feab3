/** Of KMS's requests and answers (AWS JSON 1.1 protocol). */
export const jsonContentType = 'application/x-amz-json-1.1';
