DROP TABLE history;
DROP TABLE labels;
DROP TABLE keys;
DROP TABLE jobs;
DROP TABLE blobs;
DROP TABLE meta;
